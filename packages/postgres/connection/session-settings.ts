/**
 * What every session of ours runs with, whatever the server, the database or the role says. Sent with the start-up message, so they are
 * the session's defaults and survive `RESET ALL`. The first group decides how values are printed: copy, changes and
 * verification compare text, so it must be the same everywhere (also in the walsender, which prints the cells of the stream).
 */
const sessionSettings: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO,MDY',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  xmloption: 'content',
  standard_conforming_strings: 'on',
  // A walsender that goes on without its publication says so by a warning only.
  client_min_messages: 'warning',
  // Limits that a role carries for its people would cut long copies and index builds short.
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  // A pooled connection must begin as everybody expects.
  default_transaction_isolation: 'read\\ committed',
  // An archived source refuses the writes of everybody else; ours are left to take our objects out of it.
  default_transaction_read_only: 'off',
  // Policies would hide rows from the copy without a word; this makes the server refuse instead.
  row_security: 'off',
  // A server whose client's machine vanished gives up within half a minute.
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '4',
}

/** The start-up option string: `-c name=value …`. `more` wins over the settings above. */
export function startupOptions(more: Readonly<Record<string, string>> = {}): string {
  return Object.entries({ ...sessionSettings, ...more })
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')
}
