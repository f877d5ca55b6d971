import type { ErrorDefinition } from './error-definition.ts'

/** CF12xxx instances, tokens, accounts and the platform's database. */
export const instanceErrors = {
  CF12001: {
    sentence: 'This token opens no such instance.',
    remedy:
      'Copy address and token from the console again, or make a new token there; tokens expire and can be revoked.',
    retry: false,
  },
  // CF12002–CF12299: opening and connecting instances, OAuth towards upstreams, the platform's API.
  CF12002: {
    sentence: 'The instance can’t be opened now: the platform’s database does not answer.',
    remedy: 'Try again in a few seconds. If it goes on, the operator looks at `crossfade mcp health`.',
    retry: true,
  },
  CF12003: {
    sentence: 'Too many wrong tokens were shown for this instance.',
    remedy: 'Wait ten seconds and try again with the token from the console.',
    retry: true,
  },
  CF12004: {
    sentence: 'The account at {service} must be connected again: {reason}.',
    remedy: 'Open the service in the console and connect it again, or run `crossfade mcp connect {service}`.',
    retry: false,
  },
  CF12005: {
    sentence: 'The stored credential of {service} can’t be used: {reason}.',
    remedy: 'Enter the key again in the console, or run `crossfade mcp connect {service}`; address and tokens stay.',
    retry: false,
  },
  CF12006: {
    sentence: 'A new access token for {service} could not be had: {reason}.',
    remedy: 'Try again in a minute. If it goes on, look at the status page of {service}.',
    retry: true,
  },
  CF12010: {
    sentence: '{service} refuses this key. Nothing was stored.',
    remedy: 'Copy the key again from {service} and look whether it is still valid and whole.',
    retry: false,
  },
  CF12011: {
    sentence: 'The key could not be checked, for {service} did not answer as it should: {reason}. Nothing was stored.',
    remedy: 'Try again later, or store it unchecked with `force` (`crossfade mcp connect {service} --force`).',
    retry: true,
  },
  CF12012: {
    sentence: 'The field {field} is wrong: {reason}.',
    remedy: 'Fill in the fields that the service’s page lists (`crossfade mcp services --search {service}`).',
    retry: false,
  },
  CF12013: {
    sentence: 'There is no service {service}.',
    remedy: 'Find its name with `crossfade mcp services --search {service}`, or import it with `crossfade mcp import`.',
    retry: false,
  },
  CF12014: {
    sentence: 'You are not connected to {service}.',
    remedy: 'Connect it in the console, or run `crossfade mcp connect {service}`.',
    retry: false,
  },
  CF12015: {
    sentence: 'There is no such token.',
    remedy: 'Look at the list of tokens; a token that was revoked before is there with its date.',
    retry: false,
  },
  CF12016: {
    sentence: '{service} has no tool {tool} that you can call.',
    remedy: 'Search the service’s tools; a tool may also be excluded in the settings of the instance.',
    retry: false,
  },
  CF12017: {
    sentence: 'These settings can’t be: {reason}.',
    remedy: 'Change what is named and send the settings again; nothing was changed.',
    retry: false,
  },
  CF12018: {
    sentence: 'No free id could be formed for the instance of {service}.',
    remedy: 'Try again. If it goes on, report it with this code.',
    retry: false,
  },
  CF12019: {
    sentence: 'Somebody else changed the instance of {service} at the same time.',
    remedy: 'Look at the instance and try again.',
    retry: true,
  },
  CF12020: {
    sentence: '{service} is not connected by OAuth.',
    remedy: 'Enter its key on the page of the service.',
    retry: false,
  },
  CF12021: {
    sentence: 'No OAuth client is configured for {service}.',
    remedy:
      'The administrator registers one at {service} with the redirect URI {redirectUri} and runs `crossfade mcp upstream-clients set {service}`, or sets {variable}_CLIENT_ID and {variable}_CLIENT_SECRET. Where the service takes a pasted token, that works without.',
    retry: false,
  },
  CF12022: {
    sentence: 'This authorization was not begun here, was used before, or took too long.',
    remedy: 'Begin again on the page of the service.',
    retry: false,
  },
  CF12023: {
    sentence: 'This authorization was begun by somebody else. Nothing was connected.',
    remedy: 'Begin it yourself on the page of the service; don’t follow a link that somebody sent you.',
    retry: false,
  },
  CF12024: {
    sentence: '{service} did not authorize: {reason}.',
    remedy: 'Begin again on the page of the service and allow what it asks for.',
    retry: false,
  },
  CF12025: {
    sentence: 'The answer of {service} to the authorization can’t be used: {reason}.',
    remedy: 'Begin again. If it goes on, the administrator looks at the OAuth client of {service}.',
    retry: false,
  },
  CF12026: {
    sentence: 'Authorization goes through a browser that is signed in.',
    remedy: 'Sign in to the console and open {url} there.',
    retry: false,
  },
  CF12030: {
    sentence: 'Nobody is signed in.',
    remedy: 'Sign in to the console, or send `Authorization: Bearer` with a personal API token (`cfp_…`).',
    retry: false,
  },
  CF12031: {
    sentence: 'This needs {needed}.',
    remedy: 'Use an API token or an account that has it.',
    retry: false,
  },
  CF12032: {
    sentence: 'The request comes from a page of another origin.',
    remedy: 'Use the console at {baseUrl}, or an API token.',
    retry: false,
  },
  CF12033: {
    sentence: 'The request is not as it should be: {reason}.',
    remedy: 'Look at /api/v1/openapi.json for what this address takes.',
    retry: false,
  },
  CF12034: {
    sentence: 'There is nothing at {path}.',
    remedy: 'Look at /api/v1/openapi.json for the addresses that there are.',
    retry: false,
  },
  CF12035: {
    sentence: 'Too many keys were tried for {service}.',
    remedy: 'Wait a minute and try again.',
    retry: true,
  },
  CF12036: {
    sentence: 'This server does not offer that: {reason}.',
    remedy: 'Ask its operator, or look at docs/ for how it is configured.',
    retry: false,
  },
  CF12037: {
    sentence: 'Too many calls: {reason}.',
    remedy: 'Wait {seconds} seconds and try again.',
    retry: true,
  },
  CF12038: {
    sentence: 'The name {service} is taken here.',
    remedy: 'Import it under another name: {free} is free.',
    retry: false,
  },
  CF12039: {
    sentence: 'You have imported {service} before.',
    remedy: 'Replace it (`crossfade mcp import --replace`), or import under another name.',
    retry: false,
  },
  CF12040: {
    sentence: 'This import was not begun: {reason}.',
    remedy: 'Remove imports that nobody uses, or try again later.',
    retry: false,
  },
  CF12041: {
    sentence: 'You have imported no service named {service}.',
    remedy: 'Look at `crossfade mcp services`, or at the page Imports of the console.',
    retry: false,
  },
  CF12042: {
    sentence: 'The definition of {tool} has changed since it was looked at.',
    remedy: 'Look at it again.',
    retry: false,
  },
  CF12043: {
    sentence: 'No application that you let in has this id.',
    remedy: 'Read the list of applications again: its access may have ended already.',
    retry: false,
  },
  CF12301: {
    sentence: 'The {part} of this API token must be {rule}.',
    remedy: 'Correct it and make the token again.',
    retry: false,
  },
  CF12302: {
    sentence: 'An API token cannot make API tokens.',
    remedy: 'Sign in to the console and make it there.',
    retry: false,
  },
  CF12303: {
    sentence: 'You have no such API token.',
    remedy: 'See your tokens in the console under Account.',
    retry: false,
  },
  CF12304: {
    sentence: 'You have {limit} API tokens already.',
    remedy: 'Revoke one that you do not use any more.',
    retry: false,
  },
  CF12305: {
    sentence: 'A password has {least} to {most} characters.',
    remedy: 'Choose another one.',
    retry: false,
  },
  CF12306: {
    sentence: 'There is no such user, or they are switched off.',
    remedy: '`crossfade mcp users list` names them.',
    retry: false,
  },
  CF12307: {
    sentence: 'This subject of {issuer} is linked to another user.',
    remedy: 'Remove that link first: `crossfade mcp users unlink EMAIL ISSUER SUBJECT`.',
    retry: false,
  },
  CF12308: {
    sentence: 'No administrator would be left.',
    remedy: 'Make somebody else one first: `crossfade mcp users set-role EMAIL admin`.',
    retry: false,
  },
  CF12309: {
    sentence: 'This can be no {what} of tokens: it must be {rule}.',
    remedy: 'Look into a token of the issuer: `iss` is the issuer, `sub` the subject.',
    retry: false,
  },
  CF12310: {
    sentence: 'The keys of the token issuer {issuer} could not be read: {reason}.',
    remedy:
      'See that its address is right and that this machine reaches it; tokens of the issuer are refused until then.',
    retry: true,
  },
  CF12311: {
    sentence: 'The token issuer {issuer} cannot be used: {reason}.',
    remedy: 'Correct it in the file of `crossfade mcp serve --external-issuers`.',
    retry: false,
  },
  CF12312: {
    sentence: '{at} of the external issuers {rule}.',
    remedy: 'Correct the file of `crossfade mcp serve --external-issuers`.',
    retry: false,
  },
  CF12313: {
    sentence: 'There is no user {email}.{near}',
    remedy: '`crossfade mcp users list` names them.',
    retry: false,
  },
  CF12501: {
    sentence: 'Nobody is signed in with this session or token.',
    remedy:
      'Sign in again, or make a new personal token in the console; sessions and tokens expire and can be revoked.',
    retry: false,
  },
  CF12502: {
    sentence: "The platform's database cannot be reached: {reason}.",
    remedy: 'Check its URL, that the server runs, and with TLS the certificate; then try again. Nothing is lost.',
    retry: true,
  },
  CF12503: {
    sentence: 'The database holds the tables of a platform with a process per user ({count} rows in mcp_instances).',
    remedy:
      'Make a backup, stop that platform, and start again with `crossfade mcp serve --migrate-legacy`: its instances move into the new tables and the old ones are archived.',
    retry: false,
  },
  CF12504: {
    sentence: "The file with the database's certificate authority, {path}, cannot be read: {reason}.",
    remedy: 'Let CROSSFADE_MCP_DATABASE_CA (or sslrootcert in the URL) name a readable PEM file, or leave it away.',
    retry: false,
  },
  CF12505: {
    sentence: "The platform's database could not be brought up to date: {reason}.",
    remedy:
      'The migration that failed was undone as a whole. The URL must be of a superuser, or of the owner of the database who may create roles; see docs/reference/errors.md.',
    retry: false,
  },
  CF12506: {
    sentence: 'The schema public does not belong to whom the database URL names, so that its rights cannot be set.',
    remedy:
      'As a superuser run `REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO crossfade_mcp_owner;` in this database, then start again.',
    retry: false,
  },
} as const satisfies Readonly<Record<string, ErrorDefinition>>
