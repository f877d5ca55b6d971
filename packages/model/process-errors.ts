import type { ErrorDefinition } from './error-definition.ts'

/** CF14xxx the edge, workers and processes of the platform. */
export const processErrors = {
  CF14001: {
    sentence: 'The {part} of this request is not one that this server answers to.',
    remedy: 'Use the address that the console shows; the operator can add names with --allow-host and --allow-origin.',
    retry: false,
  },
  CF14002: {
    sentence: 'An instance does not answer {method}.',
    remedy: 'MCP clients use POST, GET and DELETE: see https://modelcontextprotocol.io.',
    retry: false,
  },
  CF14003: {
    sentence: 'There is no service {service} here any more.',
    remedy: 'See what there is with `crossfade mcp services`; the operator may have taken it out of the catalog.',
    retry: false,
  },
  CF14004: {
    sentence: 'The body of this request is larger than {bytes} bytes.',
    remedy: 'Send less at once; files go to the upstream in parts.',
    retry: false,
  },
  CF14005: {
    sentence: 'The body of this request is in a content encoding.',
    remedy: 'Send it as it is, without a content-encoding header.',
    retry: false,
  },
  CF14006: {
    sentence: 'The body of this request ended before it was complete.',
    remedy: 'Send it again.',
    retry: true,
  },
  CF14007: {
    sentence: 'Nothing could listen on {host}:{port}: {reason}.',
    remedy: 'Choose another port with --port, or end the program that has this one.',
    retry: false,
  },
  CF14008: {
    sentence: 'A worker did not become ready: {reason}.',
    remedy: 'Correct what it says, then run `crossfade mcp serve` again.',
    retry: false,
  },
  CF14009: {
    sentence: 'No server answers at {url}: {reason}.',
    remedy: 'Start it with `crossfade mcp serve`, or name another with --url.',
    retry: true,
  },
  CF14010: {
    sentence: 'There is no token for the server at {url}.',
    remedy:
      'Run this in the directory where `crossfade mcp serve` runs, or give a personal token of the console with --token-file or CROSSFADE_MCP_TOKEN.',
    retry: false,
  },
  CF14011: {
    sentence: 'To listen on {host} the public address must be known.',
    remedy: 'Give it with --base-url, such as https://mcp.example.com.',
    retry: false,
  },
  CF14501: {
    sentence: 'The limit {where} cannot be used: {reason}.',
    remedy:
      'Give a number above 0, or null for no limit, in the limits file; the names are in packages/mcp/limits/settings.ts.',
    retry: false,
  },
  CF14012: {
    sentence: 'The file {path} can not be read: {reason}.',
    remedy: 'Check its name and that you may read it.',
    retry: false,
  },
  CF14013: {
    sentence: '{service} wants {wanted}.',
    remedy: 'Give it with {option}; `crossfade mcp services {service}` shows everything that it takes.',
    retry: false,
  },
  CF14014: {
    sentence: '{count} of {of} services do not answer.',
    remedy: 'See why with `crossfade mcp health`.',
    retry: true,
  },
  CF14015: {
    sentence: 'A server runs in this directory already, at {url}.',
    remedy: 'Use that one, or end it first.',
    retry: false,
  },
  CF14017: {
    sentence: 'There is no installation in {directory}.',
    remedy:
      'Run this where `crossfade mcp serve` runs, or name its database with --database or CROSSFADE_MCP_DATABASE_URL.',
    retry: false,
  },
  CF14016: {
    sentence: 'The database in {directory} cannot be started: {reason}.',
    remedy: 'Check the directory, or use a database of your own with --database or CROSSFADE_MCP_DATABASE_URL.',
    retry: true,
  },
  CF14018: {
    sentence: 'The API and the console could not be loaded: {reason}.',
    remedy:
      'It is tried again by itself in {seconds} s, and instances are served meanwhile. If it goes on, the log of the server says more.',
    retry: true,
  },
  CF14019: {
    sentence: 'There is no service {service} that this process could serve.{near}',
    remedy:
      'Give --service a name that `crossfade mcp services` lists, or write the file anew with `crossfade mcp ecosystem`.',
    retry: false,
  },
  CF14020: {
    sentence: 'A worker can not be started so: {reason}.',
    remedy:
      'Write the ecosystem file anew with `crossfade mcp ecosystem`, or start everything with `crossfade mcp serve`.',
    retry: false,
  },
  CF14021: {
    sentence: 'The file {path} holds no {what}: {reason}.',
    remedy: 'Write the {what} into it, as a whole and as nothing else.',
    retry: false,
  },
  CF14022: {
    sentence: 'This client id cannot be used: {reason}.',
    remedy: 'Copy it from the page of the upstream where the client was registered.',
    retry: false,
  },
  CF14023: {
    sentence: 'The limits file {path} is no JSON: {reason}.',
    remedy: 'Correct it; docs/mcp.md shows one.',
    retry: false,
  },
  CF14024: {
    sentence: 'The database URL cannot be used: {reason}.',
    remedy:
      'Give one like postgresql://user:password@host:5432/database, with --database or CROSSFADE_MCP_DATABASE_URL.',
    retry: false,
  },
  CF14025: {
    sentence: '{service} takes no {given}.',
    remedy: 'Leave it out; `crossfade mcp services {service}` shows everything that it takes.',
    retry: false,
  },
  CF14026: {
    sentence: 'The file {path} cannot be written: {reason}.',
    remedy: 'Choose another place, or let this user write there.',
    retry: false,
  },
  CF14027: {
    sentence: 'The server is being stopped, and this request was not done in time.',
    remedy: 'Send it again in a moment; for a call that changes something look first whether it was carried out.',
    retry: true,
  },
  CF14040: {
    sentence: 'Port {port} is for instances of {service} alone.',
    remedy: 'Ask for the path of an instance here; console and API are at {url}.',
    retry: false,
  },
  CF14510: {
    sentence: 'There is no service {service} whose health could be checked.',
    remedy: 'See what there is with `crossfade mcp services`.',
    retry: false,
  },
  CF14520: {
    sentence: 'The receiver of alerts did not take one: {reason}.',
    remedy: 'Check the webhook that alerts are posted to; the alert is posted again, and mcp_alerts keeps it.',
    retry: true,
  },
  CF14530: {
    sentence: 'The port {port} belongs to two services: {one} and {other}.',
    remedy: 'Give one of them another port in its config.json, then `crossfade mcp ecosystem` again.',
    retry: false,
  },
  CF14531: {
    sentence: 'PM2 is not there.',
    remedy: 'Install it with `npm install --global pm2`, or run everything in one go with `crossfade mcp serve`.',
    retry: false,
  },
  CF14532: {
    sentence: 'PM2 could not do it: {reason}.',
    remedy: 'See more with `pm2 logs`, and which processes run with `pm2 list`.',
    retry: true,
  },
  CF14533: {
    sentence: 'Not all processes came up: {names}.',
    remedy: 'See why with `pm2 logs NAME`; the others run. `crossfade mcp health` shows who answers.',
    retry: true,
  },
} as const satisfies Readonly<Record<string, ErrorDefinition>>
