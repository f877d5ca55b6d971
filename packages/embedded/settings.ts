// The configuration a cluster starts with. It is written as postgresql.conf rather than passed on the command line, so
// that ALTER SYSTEM still overrides it.

/** What every cluster gets: ready to be a source or a target of logical replication, small, and local. */
const baseSettings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_connections: '100',
  max_wal_senders: '20',
  max_replication_slots: '20',
  max_prepared_transactions: '20',
  shared_buffers: '32MB',
  max_wal_size: '1GB',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  datestyle: 'iso, mdy',
  default_text_search_config: 'pg_catalog.english',
}

/**
 * What ephemeral clusters give up: surviving a crash of the machine. They still survive a kill of the server with every
 * acknowledged commit, since synchronous_commit stays on and the pages are with the kernel. Dynamic shared memory lives
 * in the data directory, so that a killed cluster leaves nothing outside it.
 */
const ephemeralSettings: Readonly<Record<string, string>> = {
  fsync: 'off',
  full_page_writes: 'off',
  dynamic_shared_memory_type: 'mmap',
}

/** The text of postgresql.conf; `settings` win over the defaults. */
export function configurationFile(ephemeral: boolean, settings: Readonly<Record<string, string>>): string {
  const all = { ...baseSettings, ...(ephemeral ? ephemeralSettings : {}), ...settings }
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`)
  return `${lines.join('\n')}\n`
}
