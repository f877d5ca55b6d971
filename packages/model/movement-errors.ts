import type { ErrorDefinition } from './error-definition.ts'

/** Codes of copying and following changes, verification, cutover and the way back. */
export const movementErrors = {
  CF3001: {
    sentence: 'The snapshot of {shard} is not open yet.',
    remedy: 'Nothing to do: the copy goes on when the stream of that shard has opened it.',
    retry: true,
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
  CF4001: {
    sentence: 'The verification found {mismatches} rows that differ.',
    remedy:
      'See them with `crossfade verify --show`, repair them with `crossfade verify --repair`, then `crossfade resume`.',
    retry: false,
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
} as const satisfies Record<string, ErrorDefinition>
