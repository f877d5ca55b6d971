/**
 * Every coded failure and finding of Crossfade. This file *is* the documentation: `docs/reference/errors.md` is generated from it.
 *
 * Ranges: CF1xxx plan and configuration · CF2xxx the user's databases (findings and connection troubles) · CF3xxx copying and following changes ·
 * CF4xxx verification · CF5xxx cutover, fences and the way back · CF6xxx engine, leases and control database · CF7xxx API, CLI and client · CF8xxx embedded PostgreSQL · CF9xxx our bugs.
 */
export interface ErrorDefinition {
  /** One sentence; `{name}` is filled from the details given to `fail`. */
  readonly sentence: string
  readonly remedy: string
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retry: boolean
}

export const errorDefinitions = {
  CF1001: {
    sentence: 'The plan {path} cannot be read: {reason}.',
    remedy: 'Check the path and the syntax; `crossfade init URL` writes a plan that loads.',
    retry: false,
  },
  CF1002: {
    sentence: 'The plan is not valid at {place}: {reason}.',
    remedy: 'Correct that entry; your editor shows the allowed values when the plan uses `definePlan`.',
    retry: false,
  },
  CF1003: {
    sentence: 'The secret {name} is not set.',
    remedy:
      'Export the environment variable or create the file that the plan names; plans never hold secrets themselves.',
    retry: false,
  },
  CF1004: {
    sentence: 'The plan holds a password at {place}.',
    remedy:
      'Take it out and name where it is found: `urlFrom: env(NAME)`, or `url` without password and `passwordFrom: env(NAME)`.',
    retry: false,
  },
  CF1005: {
    sentence: 'The plan {path} exports no plan: {reason}.',
    remedy: 'Write `export default definePlan({ … })`.',
    retry: false,
  },
  CF1006: {
    sentence: 'The plan file {path} is not the one that was planned.',
    remedy: 'Its transforms may differ; restore the file, or plan and apply it as a new migration.',
    retry: false,
  },
  CF1010: {
    sentence: 'The plan names the table {table} at {place}, and no source has it.',
    remedy: 'Correct the name (schema.name, exactly as the catalog holds it) or take the entry out.',
    retry: false,
  },
  CF1011: {
    sentence: 'The plan names the column {column} of {table} at {place}, and the table does not have it.',
    remedy: 'Correct the column name; `crossfade init URL` shows what the database has.',
    retry: false,
  },
  CF1012: {
    sentence: 'The parents of the shard keys go round in a circle: {cycle}.',
    remedy: 'Give one of these tables a key column of its own in `tables.shardKeys`, or make it a reference table.',
    retry: false,
  },
  CF1013: {
    sentence: 'No shard key can be found for the table {table}.',
    remedy: 'Name its column or parent in `tables.shardKeys`, list it in `tables.reference`, or exclude it.',
    retry: false,
  },
  CF1014: {
    sentence: 'The pattern {pattern} at {place} matches no table.',
    remedy: 'Correct the pattern or take it out.',
    retry: false,
  },
  CF1015: {
    sentence: 'The plan selects no table.',
    remedy: 'Check `tables.include` and `tables.exclude`, and that the source is the right database.',
    retry: false,
  },
  CF1016: {
    sentence: 'The topology of the {side} is not valid: {reason}.',
    remedy: 'Correct the topology so that every key belongs to exactly one shard.',
    retry: false,
  },
  CF1017: {
    sentence: 'The plan names the shard {shard} at {place}, and there is none of that name.',
    remedy: 'Use one of: {known}.',
    retry: false,
  },
  CF1018: {
    sentence: 'Two tables, {first} and {second}, would both become {target}.',
    remedy: 'Rename or exclude one of them.',
    retry: false,
  },
  CF1019: {
    sentence: 'The source shards do not have the same table {table}: {reason}.',
    remedy: 'Bring all source shards to the same schema first, or exclude the table.',
    retry: false,
  },
  CF1020: {
    sentence: '{first} and {second} are the same database.',
    remedy: 'Give every shard a database of its own.',
    retry: false,
  },
  CF1021: {
    sentence: 'The directory table {table} of {shard} cannot be used: {reason}.',
    remedy: 'Check table and column names, and that every listed shard exists in the plan.',
    retry: false,
  },
  CF1022: {
    sentence:
      'The table {table} has no foreign key from {column} to {parent}, so the column it refers to is not known.',
    remedy: 'Add `parentColumn` to that entry of `tables.shardKeys`.',
    retry: false,
  },
  CF1023: {
    sentence: 'The condition of {table} is not valid: {reason}.',
    remedy: 'Correct `tables.where`; it is SQL over the columns of the source table.',
    retry: false,
  },
  CF1030: {
    sentence: 'There is no transformer {name}.',
    remedy: 'Use one of: {known}; or register yours with `defineTransformer`.',
    retry: false,
  },
  CF1031: {
    sentence: 'The options of the transformer {name} are not valid at {place}: {reason}.',
    remedy: 'Correct the options; `crossfade new transform --list` shows what each takes.',
    retry: false,
  },
  CF1032: {
    sentence: 'The transformer {name} is registered twice.',
    remedy: 'Choose another name for yours.',
    retry: false,
  },
  CF1033: {
    sentence: 'The transformer {name} cannot carry the value of {column}: {reason}.',
    remedy: 'Correct the row, or change the transformer so that it has an answer for such values.',
    retry: false,
  },
  CF1034: {
    sentence: 'There is no transform for {table} in the plan file {path}.',
    remedy: 'The plan and its file do not belong together; plan it again.',
    retry: false,
  },
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
  CF2101: {
    sentence: '{shard} runs PostgreSQL {version}, older than 14.',
    remedy: 'Upgrade it to 14 or later first; pgoutput and the catalogs of older versions are not supported.',
    retry: false,
  },
  CF2102: {
    sentence: '{shard} has wal_level {level}, so changes cannot be followed.',
    remedy: '`ALTER SYSTEM SET wal_level = logical` and restart the server.',
    retry: false,
  },
  CF2103: {
    sentence: '{shard} has {free} free replication slots and the migration needs {needed}.',
    remedy: '`ALTER SYSTEM SET max_replication_slots = {suggested}` and restart, or drop slots nobody uses.',
    retry: false,
  },
  CF2104: {
    sentence: '{shard} has {free} free WAL senders and the migration needs {needed}.',
    remedy: '`ALTER SYSTEM SET max_wal_senders = {suggested}` and restart.',
    retry: false,
  },
  CF2105: {
    sentence: 'The role {role} of {shard} may not replicate.',
    remedy:
      '`ALTER ROLE {roleQuoted} REPLICATION` as a superuser (on Amazon RDS: `GRANT rds_replication TO {roleQuoted}`).',
    retry: false,
  },
  CF2106: {
    sentence: 'The role {role} of {shard} does not own {table}.',
    remedy: '`ALTER TABLE {tableQuoted} OWNER TO {roleQuoted}`, or `GRANT {ownerQuoted} TO {roleQuoted}`.',
    retry: false,
  },
  CF2107: {
    sentence: 'The role {role} may not create schemas in the database of {shard}.',
    remedy: '`GRANT CREATE ON DATABASE {databaseQuoted} TO {roleQuoted}`.',
    retry: false,
  },
  CF2108: {
    sentence:
      'The role {role} of {shard} may not set session_replication_role, so changes are applied in commit order wherever foreign keys or triggers are active.',
    remedy:
      'Faster with: `GRANT SET ON PARAMETER session_replication_role TO {roleQuoted}` (PostgreSQL 15 and later) or a superuser.',
    retry: false,
  },
  CF2109: {
    sentence:
      '{table} has no primary key and no unique index over not-null columns; its rows are told apart as a whole.',
    remedy: 'Works, but slowly for updates and deletes; better: add a primary key, or `UNIQUE` over not-null columns.',
    retry: false,
  },
  CF2110: {
    sentence: '{table} is unlogged: its rows can be copied, but its changes are not in the log and cannot be followed.',
    remedy: '`ALTER TABLE {tableQuoted} SET LOGGED`, or exclude it.',
    retry: false,
  },
  CF2111: {
    sentence: '{shard} holds {count} large objects, which logical replication does not carry.',
    remedy:
      "Move them into bytea columns, or set `schema.largeObjects: 'ignore'` and carry them by hand at the cutover.",
    retry: false,
  },
  CF2112: {
    sentence: 'The column {column} of {table} has the type {type}, which cannot be carried: {reason}.',
    remedy: 'Convert the column, or exclude it with `tables.columns`.',
    retry: false,
  },
  CF2113: {
    sentence: 'The extension {extension} of the source is not installed on {shard}.',
    remedy:
      '`CREATE EXTENSION {extensionQuoted}` there; when it is not available, install its package on the server first.',
    retry: false,
  },
  CF2114: {
    sentence: 'The encoding of {shard} is {encoding} and that of {other} is {otherEncoding}.',
    remedy: 'Create the target with `ENCODING {otherEncoding}`, or UTF8 when every value fits.',
    retry: false,
  },
  CF2115: {
    sentence: '{shard} sorts by {locale} and {other} by {otherLocale}.',
    remedy:
      'Harmless for the rows; text ranges, ORDER BY and unique indexes over text may behave differently. Create the target with the same locale to avoid it.',
    retry: false,
  },
  CF2116: {
    sentence: '{shard} has the event trigger {trigger}, which will run on the schema changes of the migration.',
    remedy: 'Check that it lets them pass, or disable it: `ALTER EVENT TRIGGER {triggerQuoted} DISABLE`.',
    retry: false,
  },
  CF2117: {
    sentence: '{table} already exists on {shard} and holds {rows}.',
    remedy: "Drop or empty it, or set `schema.mode: 'existing'` when it was made for this migration.",
    retry: false,
  },
  CF2118: {
    sentence: '{shard} has {free} of free space and the migration needs about {needed}.',
    remedy: 'Give it more space, or move fewer tables.',
    retry: false,
  },
  CF2119: {
    sentence:
      '{shard} keeps at most {kept} of WAL for a slot (max_slot_wal_keep_size) and the plan lets {allowed} build up.',
    remedy:
      'Raise it: `ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf()`, or lower `throttle.walBytesMax`.',
    retry: false,
  },
  CF2120: {
    sentence: 'A transaction of {shard} (pid {pid}) has been open for {age}.',
    remedy: 'The snapshot and the cutover wait for it: end it, or `SELECT pg_terminate_backend({pid})`.',
    retry: false,
  },
  CF2121: {
    sentence: 'The prepared transaction {gid} of {shard} has been open for {age}.',
    remedy: '`COMMIT PREPARED` or `ROLLBACK PREPARED` it; the snapshot and the cutover wait for it.',
    retry: false,
  },
  CF2122: {
    sentence: '{table} has REPLICA IDENTITY NOTHING: updates and deletes would fail once it is published.',
    remedy: '`ALTER TABLE {tableQuoted} REPLICA IDENTITY DEFAULT`.',
    retry: false,
  },
  CF2123: {
    sentence:
      '{count} rows of {table} on {shard} refer by {column} to rows of {parent} that do not exist, so their shard is not known.',
    remedy: 'Delete or correct them, or leave them out with `tables.where`.',
    retry: false,
  },
  CF2124: {
    sentence: '{count} rows of {table} on {shard} have NULL in the shard key {column}, so no shard owns them.',
    remedy: 'Give them a key, or leave them out with `tables.where`.',
    retry: false,
  },
  CF2125: {
    sentence:
      '{count} keys of {table} live on {shard} though the source topology gives them to another shard, for example {example}.',
    remedy: 'Correct the topology of the source in the plan, or move the rows.',
    retry: false,
  },
  CF2126: {
    sentence: 'The clock of {shard} reads {timezone} and that of {other} {otherTimezone}.',
    remedy: 'Only defaults and casts that depend on the time zone are affected; set the same `timezone` on both.',
    retry: false,
  },
  CF2127: {
    sentence: '{shard} runs PostgreSQL {version}, older than the source with {sourceVersion}.',
    remedy:
      'Works when the schema uses nothing newer; `crossfade apply` compares the schemas and stops if something could not be carried.',
    retry: false,
  },
  CF2128: {
    sentence: 'The sequence {sequence} of {shard} has used {percent} % of what {limit} can hold.',
    remedy: 'Widen the column (`ALTER TABLE … ALTER COLUMN … TYPE bigint`) before or during the migration.',
    retry: false,
  },
  CF2130: {
    sentence:
      'The transform of {table} has no way back: what the target writes to it after the cutover cannot return to the source.',
    remedy: 'Give it a `backward` function, or accept that a retreat loses those writes.',
    retry: false,
  },
  CF2131: {
    sentence:
      '{shard} is written at {offered} rows per second and changes are applied at about {applied}: the stream would never catch up.',
    remedy: 'Use more target shards, larger batches, or start at a quieter time.',
    retry: false,
  },
  CF2132: {
    sentence: 'The role {role} of {shard} is a superuser; the migration does not need one.',
    remedy: 'Least privilege: a role with LOGIN, REPLICATION and ownership of the tables is enough.',
    retry: false,
  },
  CF2133: {
    sentence: '{table} is a foreign table; its rows live elsewhere and are not moved.',
    remedy: 'Exclude it, or move the server that it belongs to.',
    retry: false,
  },
  CF2134: {
    sentence: '{shard} is a standby; slots of this plan and writes need a primary.',
    remedy: 'Name the primary in the plan.',
    retry: false,
  },
  CF2135: {
    sentence:
      'The rows of {table} with {columns} {example} exist on {shard} and on {other}, and both would go to {target}.',
    remedy: 'Make the identity unique over all source shards, or put the shard key into the primary key.',
    retry: false,
  },
  CF2136: {
    sentence: '{shard} has no {what} for {table}.',
    remedy: "Create it, or let Crossfade make the schema with `schema.mode: 'create'`.",
    retry: false,
  },
  CF2137: {
    sentence: 'Row security of {table} hides rows from the role {role} of {shard}.',
    remedy: 'Use the table owner without FORCE ROW LEVEL SECURITY, or `ALTER ROLE {roleQuoted} BYPASSRLS`.',
    retry: false,
  },
  CF2138: {
    sentence: 'The check of {subject} took too long and was left out.',
    remedy: 'It does not block; run it at a quieter time, or create an index on {column}.',
    retry: false,
  },
  CF2139: {
    sentence: '{shard} holds objects of the migration {migration}.',
    remedy: '`crossfade abort` it, or resume it with `crossfade apply`.',
    retry: false,
  },
  CF2140: {
    sentence: '{table} is a reference table but refers to {parent}, which is split over shards.',
    remedy:
      'Its foreign key would fail on most shards: give the table a shard key, or drop the foreign key on the target.',
    retry: false,
  },
  CF2141: {
    sentence: '{table} was never analysed on {shard}, so the forecast guesses its rows.',
    remedy: '`ANALYZE {tableQuoted}` for a better forecast.',
    retry: false,
  },
  CF2142: {
    sentence: '{shard} has {free} free connections and the migration uses up to {needed}.',
    remedy: 'Raise `max_connections`, or lower `copy.jobsPerWorker`.',
    retry: false,
  },
  CF2143: {
    sentence: 'The free space of {shard} cannot be seen from here; the migration needs about {needed} there.',
    remedy: 'Check it on the server.',
    retry: false,
  },
  CF2144: {
    sentence: 'The shard key {column} of {table} is not part of its identity ({identity}).',
    remedy: 'Works: deletes are sent to every shard. Cheaper with a primary key that includes the shard key.',
    retry: false,
  },
  CF2145: {
    sentence: '{table} refers by {constraint} to {parent}, which is not moved.',
    remedy: 'Include the parent, or drop the foreign key on the target; rows could not be checked there.',
    retry: false,
  },
  CF2146: {
    sentence: '{shard} could not be examined: {reason}.',
    remedy: 'Correct that first; the other findings may be incomplete.',
    retry: false,
  },
  CF2147: {
    sentence: '{table} on {shard} has no column {column}.',
    remedy: 'Add it there, exclude it with `tables.columns`, or make it in a transform.',
    retry: false,
  },
  CF2148: {
    sentence:
      "The role {role} does not own the database of {shard}, so it cannot archive it at `complete` as the plan asks (`archive: 'readonly'`).",
    remedy:
      "`ALTER DATABASE {databaseQuoted} OWNER TO {roleQuoted}`, or `GRANT {ownerQuoted} TO {roleQuoted}`, or set `archive: 'leave'` in the plan.",
    retry: false,
  },
  CF2149: {
    sentence: 'The role {role} may not create tables in the schema {schema} of {shard}.',
    remedy: '`GRANT CREATE ON SCHEMA {schemaQuoted} TO {roleQuoted}`.',
    retry: false,
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
  CF2030: {
    sentence: 'The probe on {shard} failed: {reason}.',
    remedy: 'Run the probe by hand on that database, and correct it in the plan.',
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
  CF3010: {
    sentence: 'A message of the change stream cannot be read: {reason} (byte {offset}).',
    remedy:
      "Nothing after it was applied; report it with the server's version, since it means that Crossfade and that server disagree on the protocol.",
    retry: false,
  },
  CF3011: {
    sentence: 'The change stream of {shard} broke: {reason}.',
    remedy:
      "Nothing to do when the server was restarted, the stream goes on where it stopped; otherwise look into the server's log.",
    retry: true,
  },
  CF3012: {
    sentence: 'The replication slot {slot} on {shard} is gone.',
    remedy: "Changes since it vanished can't be recovered: `crossfade abort` and start again.",
    retry: false,
  },
  CF3013: {
    sentence: 'The replication slot {slot} on {shard} has lost its history: {reason}.',
    remedy:
      'The server removed log that the slot needed: raise max_slot_wal_keep_size, then `crossfade abort` and start again.',
    retry: false,
  },
  CF3014: {
    sentence: 'The replication slot {slot} on {shard} is in use: {reason}.',
    remedy: 'Usually the worker before this one, which the server drops within seconds; otherwise end that process.',
    retry: true,
  },
  CF3015: {
    sentence: 'The publication {publication} on {shard} is gone.',
    remedy: 'Somebody dropped it, and changes since then are lost: `crossfade abort` and start again.',
    retry: false,
  },
  CF3016: {
    sentence: 'The server of {shard} has no free replication slot: {reason}.',
    remedy:
      'Drop slots that nobody uses (pg_replication_slots), or raise max_replication_slots and restart the server.',
    retry: false,
  },
  CF3017: {
    sentence: 'The server of {shard} does not write what following changes needs: {reason}.',
    remedy: 'ALTER SYSTEM SET wal_level = logical, then restart the server.',
    retry: false,
  },
  CF3018: {
    sentence: 'The change stream is out of order: {reason}.',
    remedy: "Nothing after it was applied; report it with the server's version.",
    retry: false,
  },
  CF3019: {
    sentence: 'A large transaction cannot be kept on disk: {reason}.',
    remedy:
      'Free space in the directory of temporary files, raise `spoolBytesMax`, or switch streaming of open transactions off.',
    retry: true,
  },
  CF3020: {
    sentence:
      'The replication slot {slot} on {shard} stands at {confirmed}, past {applied}, up to which changes were applied.',
    remedy:
      'Changes between the two are lost: somebody moved or made the slot anew. `crossfade abort` and start again.',
    retry: false,
  },
  CF3021: {
    sentence: 'A replication slot {slot} exists on {shard} already.',
    remedy:
      'It belongs to this migration when it is named crossfade_…; otherwise drop it with pg_drop_replication_slot.',
    retry: false,
  },
  CF3022: {
    sentence: 'The server of {shard} ended the change stream: {reason}.',
    remedy: "Look into the server's log at that moment.",
    retry: false,
  },
  CF3023: {
    sentence: 'The publication {publication} on {shard} cannot be made: {reason}.',
    remedy: 'The role must own the tables and have CREATE on the database.',
    retry: false,
  },
  CF3024: {
    sentence: 'Updates and deletes of {table} cannot carry their key: {reason}.',
    remedy:
      'Give the table a primary key, or a unique index over NOT NULL columns that is neither partial nor deferrable.',
    retry: false,
  },
  CF3025: {
    sentence: 'The lock on {table} could not be had within {milliseconds} ms, several times.',
    remedy: 'A long transaction holds it: end that one (pg_stat_activity), or try again when it is over.',
    retry: true,
  },
  CF3101: {
    sentence: 'The snapshot {snapshot} of {shard} is gone.',
    remedy: 'Nothing to do: a new one is opened, and the chunks that are not copied yet are read from that.',
    retry: true,
  },
  CF3102: {
    sentence: 'The chunk {chunk} could not be copied this time: {reason}.',
    remedy: 'Nothing to do: it is tried again, and nothing of it was left behind.',
    retry: true,
  },
  CF3103: {
    sentence: 'The chunk {chunk} cannot be copied: {reason}.',
    remedy:
      'Correct what the server refused (a constraint, a type, a privilege, a full disk), then `crossfade resume`.',
    retry: false,
  },
  CF3104: {
    sentence: 'The table {table} was rewritten or dropped on the source while it was copied.',
    remedy:
      'Leave VACUUM FULL, CLUSTER and ALTER TABLE until the copy is done; `crossfade abort`, then apply the plan again.',
    retry: false,
  },
  CF3105: {
    sentence: 'The transform {transform} failed on a row of {table}: {reason}.',
    remedy:
      'Correct the function in the plan so that it takes every row that the table holds, then apply the plan again.',
    retry: false,
  },
  CF3106: {
    sentence: 'A row of {table} belongs to no target: {reason}',
    remedy: 'Give the row a key that a shard owns, extend the topology, or leave the row out with `where`.',
    retry: false,
  },
  CF3201: {
    sentence: 'Changes of {table} cannot go back: its transform {transform} has no way back.',
    remedy: 'Give the transform a `backward` function (see `reversible`), then plan again.',
    retry: false,
  },
  CF3202: {
    sentence: 'The change stream sent a row of {table} without its identity.',
    remedy:
      'Its replica identity was changed: ALTER TABLE … REPLICA IDENTITY as the plan found it, then `crossfade resume`.',
    retry: false,
  },
  CF3203: {
    sentence: 'The table {table} on {shard} was altered while its changes are followed: {change}.',
    remedy:
      'Alter the other side in the same way and plan again, or undo it; with `schema.ddl: apply` added and dropped columns are carried over.',
    retry: false,
  },
  CF3204: {
    sentence:
      'A row of {table} cannot be written to {shard}: {constraint} is taken by the row {key}, which belongs to {other}.',
    remedy:
      'Rows of several shards claim the same value: change one of them, or drop the constraint on that side, then `crossfade resume`.',
    retry: false,
  },
  CF3205: {
    sentence: 'The table {table} is not on {shard}.',
    remedy: 'Create it as `crossfade plan` describes it, then `crossfade resume`.',
    retry: false,
  },
  CF3206: {
    sentence: 'Changes cannot be applied to {shard}: {reason}.',
    remedy:
      'Nothing of that transaction was applied. Correct what the database complains about, then `crossfade resume`.',
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
  CF4101: {
    sentence: 'The table {table} cannot be compared: {column} is not on both sides.',
    remedy: 'The schema has changed since the plan was made; run `crossfade plan` and look at the difference.',
    retry: false,
  },
  CF4102: {
    sentence:
      'Nobody can say whether rows differ: the changes of {shard} were not applied up to {lsn} within {milliseconds} ms.',
    remedy: 'See `crossfade status` for the stream of that shard; verification goes on when it moves.',
    retry: true,
  },
  CF4103: {
    sentence: 'Rows are not repaired while some units have been cut over and others have not.',
    remedy: 'Finish the cutover or take it back, then run `crossfade verify --repair` again.',
    retry: false,
  },
  CF5101: {
    sentence: 'The fence could not be closed on {shard}: {table} was in use for {milliseconds} ms.',
    remedy:
      'Nothing has changed; it is tried again. Look for long transactions in pg_stat_activity, or raise `fenceLockMsMax`.',
    retry: true,
  },
  CF5102: {
    sentence: 'The fence on {shard} was not touched: epoch {epoch} is stale.',
    remedy: 'Another process leads this cutover now; nothing to do.',
    retry: false,
  },
  CF5103: {
    sentence: 'A fence that could not be closed everywhere could not be taken back on {shard}: {reason}.',
    remedy: 'Bring that database back; the cutover opens the fence as soon as it answers.',
    retry: true,
  },
  CF5104: {
    sentence: 'The fence could not be prepared on {shard}: {table} is too busy for a short lock ({reason}).',
    remedy: 'Look for long transactions on that table, then try again.',
    retry: true,
  },
  CF5105: {
    sentence: 'The fence failed on {shard}: {reason}.',
    remedy: 'It was taken back on every database; it is tried again.',
    retry: true,
  },
  CF5110: {
    sentence: 'PgBouncer at {address} did not do {command}: {reason}.',
    remedy: 'Check `adminUrl` and that its user is in admin_users; SHOW CLIENTS tells who keeps a pool from pausing.',
    retry: true,
  },
  CF5111: {
    sentence: "PgBouncer's configuration {path} cannot be rewritten: {reason}.",
    remedy: 'The entry must stand in the [databases] section of that very file, which must be writable.',
    retry: false,
  },
  CF5112: {
    sentence: 'The webhook {address} failed: {reason}.',
    remedy: 'It must answer with a 2xx status in time; it is called again when the cutover is tried again.',
    retry: true,
  },
  CF5113: {
    sentence: 'The command {command} failed: {reason}.',
    remedy: 'It must end with exit code 0 in time; run it by hand to see why it does not.',
    retry: true,
  },
  CF3001: {
    sentence: 'The snapshot of {shard} is not open yet.',
    remedy: 'Nothing to do: the copy goes on when the stream of that shard has opened it.',
    retry: true,
  },
  CF4001: {
    sentence: 'The verification found {mismatches} rows that differ.',
    remedy:
      'See them with `crossfade verify --show`, repair them with `crossfade verify --repair`, then `crossfade resume`.',
    retry: false,
  },
  CF5001: {
    sentence: 'The cutover of {units} was put back {attempts} times: {reason}.',
    remedy:
      'Nothing has changed. Look at lag and long transactions in `crossfade status`, then `crossfade resume` to try again.',
    retry: false,
  },
  CF5002: {
    sentence: 'The cutover of {units} was put back: {reason}.',
    remedy: 'Nothing has changed; it is tried again by itself.',
    retry: true,
  },
  CF5003: {
    sentence: 'The cutover cannot start: {reason}.',
    remedy: 'Nothing has changed; it starts by itself when that has passed.',
    retry: true,
  },
  CF5004: {
    sentence: 'Objects of this migration are left on the {side} side: {names}.',
    remedy: 'End what holds them (a session that uses the slot or the table); the removal is tried again by itself.',
    retry: true,
  },
  CF5005: {
    sentence: 'The hook {hook} failed: {reason}.',
    remedy: 'Check what the hook calls. Before the flip the cutover is put back; after it, the hook is tried again.',
    retry: true,
  },
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
  CF7010: {
    sentence: 'The receiver of alerts answered {status}.',
    remedy: 'Check the URL given with --alerts; the alert is sent again by itself.',
    retry: true,
  },
  CF9001: {
    sentence: 'Crossfade contradicted itself: {reason}.',
    remedy:
      'This is a bug; nothing was changed after it was noticed. Report it with the output of `crossfade history --json`.',
    retry: false,
  },
} as const satisfies Record<string, ErrorDefinition>

export type ErrorCode = keyof typeof errorDefinitions
