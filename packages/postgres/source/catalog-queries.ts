// Every statement gives one row with one column, a JSON document. All run under an empty search path and lock nothing but what a SELECT locks.

/** Schemas whose tables are never the user's. */
const userSchema = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'crossfade', 'crossfade_control')`

/** A server may have many addresses; no two start in the same microsecond with the same port. */
export const serverQuery = `
SELECT json_build_object(
  'version', current_setting('server_version_num')::int,
  'instance', concat_ws(' ', extract(epoch FROM pg_postmaster_start_time())::numeric, current_setting('port')),
  'database', d.datname, 'databaseOid', d.oid::bigint, 'databaseOwner', pg_get_userbyid(d.datdba), 'sizeBytes', pg_database_size(d.oid),
  'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
  'localeProvider', coalesce(to_jsonb(d)->>'datlocprovider', 'c'),
  'timezone', (SELECT reset_val FROM pg_settings WHERE name = 'log_timezone'),
  'inRecovery', pg_is_in_recovery(), 'walLevel', current_setting('wal_level'),
  'lsn', CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END,
  'maxReplicationSlots', current_setting('max_replication_slots')::int,
  'usedReplicationSlots', (SELECT count(*) FROM pg_replication_slots),
  'maxWalSenders', current_setting('max_wal_senders')::int,
  'usedWalSenders', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'),
  'maxConnections', current_setting('max_connections')::int,
  'usedConnections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  'maxSlotWalKeepBytes', (SELECT nullif(setting::bigint, -1) * 1048576 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
  'role', json_build_object('name', r.rolname, 'superuser', r.rolsuper, 'replication', r.rolreplication OR r.rolsuper,
    'bypassRowSecurity', r.rolbypassrls OR r.rolsuper, 'createInDatabase', has_database_privilege(d.oid, 'CREATE'),
    'ownsDatabase', pg_has_role(d.datdba, 'USAGE'))
) FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`

/** Fails for a role that may not; the answer is then no. Parameter privileges exist from version 15 on. */
export const setReplicationRoleQuery = `SELECT has_parameter_privilege('session_replication_role', 'SET')`

export const dataDirectoryQuery = `SELECT current_setting('data_directory')`

/** Some platforms have a role in place of the attribute. */
export const replicationMembershipQuery = `
SELECT coalesce(bool_or(pg_has_role(current_user, oid, 'MEMBER')), false) FROM pg_roles
WHERE rolname IN ('rds_replication', 'cloudsqlsuperuser', 'azure_pg_admin') AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`

export const typesQuery = `
SELECT coalesce(json_agg(json_build_object(
  'oid', t.oid::bigint, 'name', t.typname, 'builtin', t.oid < 16384, 'kind', t.typtype,
  'base', t.typbasetype::bigint, 'element', CASE WHEN t.typcategory = 'A' THEN t.typelem::bigint ELSE 0 END,
  'subtype', coalesce((SELECT rngsubtype FROM pg_range WHERE rngtypid = t.oid OR rngmultitypid = t.oid LIMIT 1)::bigint, 0),
  'hasBinary', t.typsend <> 0 AND t.typreceive <> 0,
  'extension', (SELECT e.extname FROM pg_depend p JOIN pg_extension e ON e.oid = p.refobjid
    WHERE p.classid = 'pg_type'::regclass AND p.objid = t.oid AND p.deptype = 'e' AND p.refclassid = 'pg_extension'::regclass)
)), '[]') FROM pg_type t WHERE t.typrelid = 0 OR t.oid IN (SELECT atttypid FROM pg_attribute)`

export const tablesQuery = `
WITH chosen AS MATERIALIZED (
  SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND ${userSchema}
)
SELECT coalesce(json_agg(json_build_object(
  'name', json_build_object('schema', c.nspname, 'name', c.relname),
  'kind', CASE c.relkind WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' ELSE 'table' END,
  'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END,
  'isPartition', c.relispartition,
  'parents', (SELECT coalesce(json_agg(json_build_object('schema', pn.nspname, 'name', pc.relname) ORDER BY i.inhseqno), '[]')
    FROM pg_inherits i JOIN pg_class pc ON pc.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = pc.relnamespace WHERE i.inhrelid = c.oid),
  'columns', (SELECT coalesce(json_agg(json_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'typeOid', a.atttypid::bigint, 'notNull', a.attnotnull,
      'generated', a.attgenerated, 'identity', a.attidentity) ORDER BY a.attnum), '[]')
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'indexes', (SELECT coalesce(json_agg(json_build_object(
      'name', ic.relname, 'primary', i.indisprimary, 'replica', i.indisreplident, 'immediate', i.indimmediate,
      'columns', (SELECT json_agg(a.attname ORDER BY k.ordinality) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, ordinality)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.ordinality <= i.indnkeyatts),
      'whole', i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid AND i.indimmediate,
      'notNull', NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, ordinality)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.ordinality <= i.indnkeyatts AND NOT a.attnotnull))
      ORDER BY ic.relname), '[]')
    FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisunique),
  'indexCount', (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid),
  'replicaIdentity', c.relreplident,
  'foreignKeys', (SELECT coalesce(json_agg(json_build_object(
      'name', f.conname,
      'columns', (SELECT json_agg(a.attname ORDER BY k.ordinality) FROM unnest(f.conkey) WITH ORDINALITY k(number, ordinality)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number),
      'parent', json_build_object('schema', fn.nspname, 'name', fc.relname),
      'parentColumns', (SELECT json_agg(a.attname ORDER BY k.ordinality) FROM unnest(f.confkey) WITH ORDINALITY k(number, ordinality)
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number)) ORDER BY f.conname), '[]')
    FROM pg_constraint f JOIN pg_class fc ON fc.oid = f.confrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace
    WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0),
  'rows', c.reltuples::float8,
  'heapBytes', CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid) ELSE 0 END,
  'toastBytes', CASE WHEN c.reltoastrelid <> 0 THEN pg_total_relation_size(c.reltoastrelid) ELSE 0 END,
  'indexBytes', CASE WHEN c.relkind = 'r' THEN pg_indexes_size(c.oid) ELSE 0 END,
  'owner', pg_get_userbyid(c.relowner),
  'owned', pg_has_role(c.relowner, 'USAGE'),
  'canSelect', has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'),
  'rowSecurity', c.relrowsecurity AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE')),
  'extension', (SELECT e.extname FROM pg_depend p JOIN pg_extension e ON e.oid = p.refobjid
    WHERE p.classid = 'pg_class'::regclass AND p.objid = c.oid AND p.deptype = 'e' AND p.refclassid = 'pg_extension'::regclass)
) ORDER BY c.nspname, c.relname), '[]') FROM chosen c`

export const objectsQuery = `
SELECT json_build_object(
  'extensions', (SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion) ORDER BY extname), '[]') FROM pg_extension),
  'availableExtensions', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM pg_available_extensions),
  'eventTriggers', (SELECT coalesce(json_agg(evtname ORDER BY evtname), '[]') FROM pg_event_trigger WHERE evtenabled <> 'D'
    AND evtname NOT LIKE 'crossfade%'),
  'closedSchemas', (SELECT coalesce(json_agg(n.nspname ORDER BY n.nspname), '[]') FROM pg_namespace n
    WHERE ${userSchema} AND NOT has_schema_privilege(n.oid, 'CREATE')),
  'largeObjects', (SELECT count(*) FROM (SELECT FROM pg_largeobject_metadata LIMIT 1000) counted),
  'publications', (SELECT coalesce(json_agg(json_build_object('name', pubname, 'allTables', puballtables) ORDER BY pubname), '[]') FROM pg_publication),
  'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'active', active,
      'walBytesHeld', coalesce((CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - restart_lsn)::bigint, 0),
      'lost', coalesce(wal_status = 'lost', false)) ORDER BY slot_name), '[]') FROM pg_replication_slots WHERE database = current_database()),
  'longTransactions', (SELECT coalesce(json_agg(json_build_object('pid', pid, 'seconds', extract(epoch FROM now() - xact_start)::int, 'state', state)
      ORDER BY xact_start), '[]') FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database() AND xact_start < now() - interval '60 seconds'),
  'preparedTransactions', (SELECT coalesce(json_agg(json_build_object('gid', gid, 'seconds', extract(epoch FROM now() - prepared)::int) ORDER BY gid), '[]')
    FROM pg_prepared_xacts WHERE database = current_database()),
  'sequences', (SELECT coalesce(json_agg(json_build_object(
      'name', json_build_object('schema', n.nspname, 'name', c.relname),
      'lastValue', CASE WHEN has_sequence_privilege(c.oid, 'SELECT') THEN pg_sequence_last_value(c.oid)::text END,
      'maximum', s.seqmax::text, 'increment', s.seqincrement::text,
      'ownedBy', (SELECT json_build_object('table', json_build_object('schema', tn.nspname, 'name', tc.relname), 'column', a.attname,
          'type', format_type(a.atttypid, NULL))
        FROM pg_depend d JOIN pg_class tc ON tc.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
        LIMIT 1)) ORDER BY n.nspname, c.relname), '[]')
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${userSchema})
)`

/** Migrations that have left anything here; the schema may not be there at all, so this one is asked for on its own. */
export const crossfadeMigrationsQuery = `
SELECT coalesce(json_agg(DISTINCT migration ORDER BY migration), '[]') FROM (
  SELECT migration FROM crossfade.applied_position UNION ALL SELECT migration FROM crossfade.chunk_done
  UNION ALL SELECT migration FROM crossfade.lease_epoch) known`

export const writeCountersQuery = `
SELECT json_build_object(
  'walBytes', (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0'::pg_lsn)::text,
  'rows', (SELECT (tup_inserted + tup_updated + tup_deleted)::text FROM pg_stat_database WHERE datname = current_database()),
  'milliseconds', (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`
