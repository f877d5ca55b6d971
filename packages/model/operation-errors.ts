import type { ErrorDefinition } from './error-definition.ts'

/** Codes of engine and control database, API, CLI and client, embedded PostgreSQL, and our bugs. */
export const operationErrors = {
  CF6001: {
    sentence: 'There is no migration {migration}.',
    remedy: 'See what there is with `crossfade status`.',
    retry: false,
  },
  CF6002: {
    sentence: '{command} is not allowed now: {reason}.',
    remedy: 'See the stage and what is allowed with `crossfade status`.',
    retry: false,
  },
  CF6003: {
    sentence: 'The control database cannot be reached: {reason}.',
    remedy: 'Check its URL and that the server runs. Nothing is lost: workers stop writing until it is back.',
    retry: true,
  },
  CF6004: {
    sentence: 'A migration named {name} with another plan is under way: {migration}.',
    remedy: 'Finish or abort that one first, or give the plan another name.',
    retry: false,
  },
  CF6005: {
    sentence: 'The journal of {migration} has moved on to version {version}.',
    remedy: 'Nothing to do: the state is read again and the decision is taken anew.',
    retry: true,
  },
  CF6006: {
    sentence: 'The lease {lease} was taken over by another worker.',
    remedy: 'Nothing to do: the other worker goes on; this one has stopped writing.',
    retry: true,
  },
  CF6007: {
    sentence: '{where} failed: {reason}.',
    remedy:
      'It is tried again by itself a few times; after that look at the cause in the journal and `crossfade resume`.',
    retry: true,
  },
  CF6008: {
    sentence: 'A slot of {shard} holds {bytes} bytes of write-ahead log, more than walBytesMax ({limit}).',
    remedy:
      'Free disk or raise throttle.walBytesMax, then `crossfade resume`; or `crossfade abort`, which drops the slot.',
    retry: false,
  },
  CF6009: {
    sentence: 'The schema could not be carried: {findings} findings block.',
    remedy: 'See them with `crossfade status`, correct each as it says, then `crossfade resume`.',
    retry: false,
  },
  CF6010: {
    sentence: 'There is no report {report} of migration {migration}.',
    remedy: 'See the reports with `crossfade verify --list`.',
    retry: false,
  },
  CF6011: {
    sentence: 'The task {task} failed for good ({code}): {reason}.',
    remedy: 'Correct the cause as the page of {code} says, then `crossfade resume` tries the task again.',
    retry: false,
  },
  CF7001: {
    sentence: 'No migration is known in this control database.',
    remedy: 'Start one with `crossfade apply PLAN`, or name another control database with --control.',
    retry: false,
  },
  CF7003: {
    sentence: 'Several migrations are active: {migrations}.',
    remedy: 'Name one of them: `--migration ID`.',
    retry: false,
  },
  CF7004: {
    sentence: 'The control database in {directory} cannot be started: {reason}.',
    remedy: 'Check the directory, or use your own database with --control or CROSSFADE_CONTROL_URL.',
    retry: true,
  },
  CF7005: {
    sentence: '{what} would need a confirmation, and nobody is there to give it.',
    remedy: 'Add --yes.',
    retry: false,
  },
  CF7006: {
    sentence: 'The file {path} exists already.',
    remedy: 'Choose another name, or overwrite it with --force.',
    retry: false,
  },
  CF7007: {
    sentence: 'The option {option} is not valid: {reason}.',
    remedy: '`crossfade {command} --help` shows what it takes.',
    retry: false,
  },
  CF7010: {
    sentence: 'The receiver of alerts answered {status}.',
    remedy: 'Check the URL given with --alerts; the alert is sent again by itself.',
    retry: true,
  },
  CF7101: {
    sentence: 'The client has no routing: {reason}.',
    remedy: 'Check the address and the token of the routing source, and that the migration exists.',
    retry: true,
  },
  CF7102: {
    sentence: 'What the routing source sent is no routing: {reason}.',
    remedy: 'Check that the address is that of a Crossfade API or control database of this version.',
    retry: false,
  },
  CF7103: {
    sentence: 'A write to keys of {unit} was held for {milliseconds} ms and its range is still closed.',
    remedy:
      'Nothing was written; try again. If it lasts, see `crossfade status`: a cutover may be stuck, or this client gets no routing.',
    retry: true,
  },
  CF7104: {
    sentence: 'Too many writes are held while keys of {unit} move: {limit}.',
    remedy: 'Nothing was written; try again, or raise `heldMax` of the client.',
    retry: true,
  },
  CF7105: {
    sentence: 'The client was ended while a statement waited.',
    remedy: 'Nothing was written; end the client only after its last statement.',
    retry: false,
  },
  CF7106: {
    sentence: 'The connection broke before the outcome was known: {reason}.',
    remedy:
      'Look whether the work is there before it is done again; give `committed` (transactions) or `idempotent` (statements) to have that done for you.',
    retry: false,
  },
  CF7107: {
    sentence: 'The transaction was rolled back, because a statement in it had failed.',
    remedy: 'Let the error of a failed statement leave the callback, or use a savepoint.',
    retry: false,
  },
  CF7108: {
    sentence: 'A statement was given to a transaction that is over.',
    remedy: 'Await every statement inside the callback.',
    retry: false,
  },
  CF7109: {
    sentence: 'The client was not told how to reach {shard}.',
    remedy: 'Add it to `shards`; both sides of the migration must be there.',
    retry: false,
  },
  CF7201: {
    sentence: 'The request carries no valid token.',
    remedy: 'Send `Authorization: Bearer <token>`; an admin makes tokens with `crossfade server token NAME ROLE`.',
    retry: false,
  },
  CF7202: {
    sentence: 'The role {role} may not do this; it needs {needed}.',
    remedy: 'Ask an admin for a token with that role.',
    retry: false,
  },
  CF7203: {
    sentence: 'The request does not come from this machine.',
    remedy:
      'Open the console as http://127.0.0.1:PORT; to serve a team, start the server with --tokens FILE and --host.',
    retry: false,
  },
  CF7204: {
    sentence: 'Line {line} of the tokens file is not `name:role:sha256`.',
    remedy: 'Make lines with `crossfade server token NAME ROLE`; roles are viewer, operator and admin.',
    retry: false,
  },
  CF7205: {
    sentence: 'The request is not valid: {reason}.',
    remedy: 'See the OpenAPI description at /api/v1/openapi.json.',
    retry: false,
  },
  CF7206: {
    sentence: 'There is nothing at {path}.',
    remedy: 'See the OpenAPI description at /api/v1/openapi.json for what is.',
    retry: false,
  },
  CF7207: {
    sentence: 'The server listens on {host} without tokens.',
    remedy: 'Start it with --tokens FILE, or let it listen on 127.0.0.1.',
    retry: false,
  },
  CF7208: {
    sentence: 'The port {port} of {host} is in use.',
    remedy: 'Stop what listens there (`ss -ltnp` shows it), or choose another one with --port.',
    retry: false,
  },
  CF7209: {
    sentence: 'The server cannot listen on {host}, port {port}: {reason}.',
    remedy: 'Give --host an address of this machine, and --port one above 1023 or the right to use it.',
    retry: false,
  },
  CF7210: {
    sentence: 'The tokens file {path} cannot be read: {reason}.',
    remedy:
      'Make its first line with `crossfade server token NAME ROLE`, and let the user that runs the server read it.',
    retry: false,
  },
  CF7211: {
    sentence: 'The TLS certificate or its key cannot be used: {reason}.',
    remedy: 'Give --tls-cert and --tls-key two PEM files that belong together.',
    retry: false,
  },
  CF7212: {
    sentence: 'The token cannot be made: {reason}.',
    remedy: '`crossfade server token NAME ROLE`: a name like `alice`, and viewer, operator or admin.',
    retry: false,
  },
  CF7213: {
    sentence: 'This server has {limit} live event streams open, which is its limit.',
    remedy: 'Close consoles that nobody looks at, or start another server before the same control database.',
    retry: true,
  },
  CF8001: {
    sentence: 'PostgreSQL {version} is not installed for {platform}.',
    remedy:
      'Run `npm install` without `--omit=optional` on Linux x64; on other systems give `--control URL` and the URLs of servers of your own.',
    retry: false,
  },
  CF8002: {
    sentence: 'PostgreSQL {version} did not start in {directory}: {reason}.',
    remedy:
      'Read the end of `server.log` in that directory; correct the setting or free the space or port that it names.',
    retry: true,
  },
  CF8003: {
    sentence: 'PostgreSQL does not run as root, and none of the users {users} exists to run it as.',
    remedy: 'Create one of these users, or run Crossfade as an ordinary user.',
    retry: false,
  },
  CF8004: {
    sentence: 'The directory {directory} holds a PostgreSQL {found} cluster, not {version}.',
    remedy: 'Give another directory, or ask for the version that it holds.',
    retry: false,
  },
  CF8005: {
    sentence: 'The temporary directory {directory} belongs to another user.',
    remedy: 'Remove it, or set TMPDIR to a directory of your own.',
    retry: false,
  },
  CF9001: {
    sentence: 'Crossfade contradicted itself: {reason}.',
    remedy:
      'This is a bug; nothing was changed after it was noticed. Report it with the output of `crossfade history --json`.',
    retry: false,
  },
} as const satisfies Record<string, ErrorDefinition>
