import type { ErrorDefinition } from './error-definition.ts'

/** Codes of what stands in the way in the user’s databases. */
export const databaseFindings = {
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
} as const satisfies Record<string, ErrorDefinition>
