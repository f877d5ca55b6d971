import type { ErrorDefinition } from './error-definition.ts'

/** Codes of connections to the user’s databases, their schemas, clean-up. */
export const databaseErrors = {
  CF2001: {
    sentence: 'The database {shard} cannot be reached: {reason}.',
    remedy:
      'Check host, port, user and password of that URL, and that the server accepts connections from this machine.',
    retry: true,
  },
  CF2010: {
    sentence: 'The database {shard} does not let {user} in: {reason}.',
    remedy: "Check user and password (and the secret that the plan names), and the server's pg_hba.conf.",
    retry: false,
  },
  CF2011: {
    sentence: 'The server of {shard} has no database {database}.',
    remedy: 'Correct the name at the end of that URL, or create the database.',
    retry: false,
  },
  CF2012: {
    sentence: 'An encrypted connection to {shard} cannot be made: {reason}.',
    remedy: 'Set `sslmode` (disable, require, verify-full) and `sslrootcert` in that URL to what the server offers.',
    retry: false,
  },
  CF2013: {
    sentence: 'The server of {shard} takes no more connections: {reason}.',
    remedy: 'Raise max_connections or max_wal_senders, or lower `jobsPerWorker` in the plan.',
    retry: true,
  },
  CF2014: {
    sentence: 'The role {user} may not connect to {shard} this way: {reason}.',
    remedy:
      'GRANT CONNECT ON DATABASE …; for following changes ALTER ROLE … REPLICATION and a pg_hba.conf entry for the database.',
    retry: false,
  },
  CF2015: {
    sentence: 'The connection URL of {shard} cannot be used: {reason}.',
    remedy: 'Write it as postgres://user@host:port/database?sslmode=…; special characters percent-encoded.',
    retry: false,
  },
  CF2016: {
    sentence: 'The connection to {shard} broke: {reason}.',
    remedy: 'Nothing to do when the server was restarted; otherwise look into its log.',
    retry: true,
  },
  CF2017: {
    sentence: 'No connection to {shard} became free within {milliseconds} ms.',
    remedy: 'Something holds all of them; lower `jobsPerWorker`, or look for blocked sessions in pg_stat_activity.',
    retry: true,
  },
  CF2018: {
    sentence: 'The URL of {shard} leads to something that is not a PostgreSQL server itself: {reason}.',
    remedy:
      'Give the URL of the server, not of a pooler in front of it: snapshots and change streams do not pass through poolers.',
    retry: false,
  },
  CF2030: {
    sentence: 'The probe on {shard} failed: {reason}.',
    remedy: 'Run the probe by hand on that database, and correct it in the plan.',
    retry: true,
  },
  CF2201: {
    sentence: 'The role {role} may not create the schema `crossfade` in {database} of {shard}: {reason}.',
    remedy: 'As the owner of the database or a superuser: `GRANT CREATE ON DATABASE {database} TO {role}`.',
    retry: false,
  },
  CF2202: {
    sentence: 'The {kind} {identity} of the source is not carried to the target: {reason}.',
    remedy: 'Create it on the target yourself before the cutover if the application needs it.',
    retry: false,
  },
  CF2203: {
    sentence: 'The body of {identity} mentions {tables}, which the plan renames or changes; it is carried as it is.',
    remedy: 'Look at that body, and replace the routine on the target where it must use the new names.',
    retry: false,
  },
  CF2204: {
    sentence: '{objects} objects belong to {role} on the source and will belong to {self} on {shard}: {reason}.',
    remedy: 'Create the role on the target and make the migration role a member of it.',
    retry: false,
  },
  CF2205: {
    sentence: 'The role {role} is not on {shard}, so the privileges and policies that name it are not carried.',
    remedy: 'Create the role on the target before the schema is created.',
    retry: false,
  },
  CF2206: {
    sentence: '{shard} refused to create {subject}: {reason}.',
    remedy: 'Correct what the server names and start again; nothing of this step was left behind.',
    retry: false,
  },
  CF2207: {
    sentence: '{shard} already holds {objects}, which this migration did not create.',
    remedy:
      "Drop or rename them there, or set `schema: { mode: 'existing' }` in the plan when they are meant to be used.",
    retry: false,
  },
  CF2208: {
    sentence: 'What this migration created on {shard} cannot be dropped, because {others} depend on it.',
    remedy: 'Drop those, or the dependency, then run `crossfade abort` again; they were not made by Crossfade.',
    retry: false,
  },
  CF2209: {
    sentence: '{shard} refused {subject}: {reason}.',
    remedy: 'Run that statement on the target as a role that may, or leave it when the application does not need it.',
    retry: false,
  },
  CF2210: {
    sentence: 'The {kind} {identity} of the source is missing on {shard}.',
    remedy: 'Create it on the target before the cutover if the application needs it.',
    retry: false,
  },
  CF2211: {
    sentence: 'The {kind} {identity} on {shard} differs from the source in {facet}: {expected} there, {found} here.',
    remedy: 'Make them equal, or accept the difference when it is meant.',
    retry: false,
  },
  CF2212: {
    sentence: '{shard} holds the {kind} {identity}, which the source does not have.',
    remedy: 'Nothing has to be done when it is meant; otherwise drop it.',
    retry: false,
  },
  CF2213: {
    sentence: 'Another process works on {work} of {shard}.',
    remedy: 'Nothing has to be done; it is taken over when that process ends.',
    retry: true,
  },
  CF2214: {
    sentence: 'The schema work {work} is not known on {shard}.',
    remedy: 'Create the schema again with `crossfade apply`; the plan or the target was changed behind its back.',
    retry: false,
  },
  CF2215: {
    sentence: '{work} could not be built on {shard}: {reason}.',
    remedy:
      'When rows violate it, look for them with `crossfade verify`; otherwise correct what the server names and resume.',
    retry: false,
  },
  CF2216: {
    sentence: 'The sequence {sequence} of {shard} cannot be set to {value}, beyond its {limit}.',
    remedy:
      "Lower the plan's `sequenceMargin`, or widen the sequence on the target (`ALTER SEQUENCE … AS bigint MAXVALUE …`).",
    retry: false,
  },
  CF2217: {
    sentence: 'pg_dump of {shard} failed: {reason}.',
    remedy: 'Try that pg_dump by hand with the same role; without one the schema is carried from the catalogs.',
    retry: false,
  },
  CF2218: {
    sentence: 'The backup of {shard} to {path} failed: {reason}.',
    remedy: 'Make sure that the directory can be written and has room, then start again.',
    retry: true,
  },
  CF2219: {
    sentence: 'The drill of the backup {path} found {difference}.',
    remedy: 'Do not rely on this backup: make a new one, and look at the disk it is on.',
    retry: false,
  },
  CF2220: {
    sentence: 'The role {role} may not archive the database of {shard}, or open it again: {reason}.',
    remedy: 'Give the database to that role: `ALTER DATABASE … OWNER TO …`, then `crossfade resume`.',
    retry: false,
  },
  CF2221: {
    sentence:
      'The drill of the backup needs a database of its own, and neither {target} nor {source} lets the role create one.',
    remedy: '`ALTER ROLE … CREATEDB` on the target server, or `drill: false` in the plan.',
    retry: false,
  },
  CF2222: {
    sentence: 'The triggers of the moved tables could not be locked within {milliseconds} ms.',
    remedy: 'Nothing has to be done; it is tried again. A long transaction on one of the tables is in the way.',
    retry: true,
  },
  CF2801: {
    sentence: 'A row has no shard key (its key column is NULL), so no shard owns it.',
    remedy: 'Give the row a key, choose another key column, or leave the row out with `where`.',
    retry: false,
  },
  CF2802: {
    sentence: 'No shard of the topology owns the key {key}.',
    remedy: 'Add the key to the directory or set `otherwise`; close the gap in the ranges of the plan.',
    retry: false,
  },
  CF2803: {
    sentence: 'The shard key {key} is not an integer, but the ranges of the topology are of integers.',
    remedy: "Use `order: 'text'` for this topology or another key column.",
    retry: false,
  },
  CF2804: {
    sentence: 'The routing of epoch {epoch} does not say who answers for {unit}.',
    remedy:
      'The routing in the control database is incomplete; run `crossfade status` to see which migration wrote it.',
    retry: false,
  },
} as const satisfies Record<string, ErrorDefinition>
