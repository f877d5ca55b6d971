import { type Failure, Failure as FailureClass, fail, reasonOf } from '@crossfade/model/failure.ts'

/** Whom a connection was for; all of it may be shown. */
export interface ConnectionSubject {
  readonly shard: string
  readonly user: string
  readonly database: string
  /** Never shown: it is removed from whatever the driver or the server said. */
  readonly password: string | null
}

/** Makes the coded failure of a connection that could not be opened. A `Failure` is passed on as it is. */
export function connectionFailure(subject: ConnectionSubject, error: unknown): Failure {
  if (error instanceof FailureClass) return error
  const { shard, user, database } = subject
  const reason = redact(reasonOf(error), subject.password)
  const cause = safeCause(error, subject.password)
  const details = { shard, user, database, reason }
  const code = codeOf(error)
  if (code === '28P01' || /SASL|client password must be/.test(reason)) return fail('CF2010', details, cause)
  if (code === '28000') return fail(/replication/.test(reason) ? 'CF2014' : 'CF2010', details, cause)
  if (code === '3D000') return fail('CF2011', details, cause)
  if (code === '53300') return fail('CF2013', details, cause)
  if (code === '42501') return fail('CF2014', details, cause)
  // Protocol violation: a pooler that refuses our start-up message.
  if (code === '08P01') return fail('CF2018', details, cause)
  if (isTlsTrouble(code, reason)) return fail('CF2012', details, cause)
  return fail('CF2001', details, cause)
}

/** The SQLSTATE of a server's error or the errno name of the operating system's; undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

function isTlsTrouble(code: string | undefined, reason: string): boolean {
  if (
    code !== undefined &&
    /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO|HOSTNAME_MISMATCH)/.test(code)
  )
    return true
  return /\b(SSL|TLS|certificate)\b/i.test(reason)
}

function redact(text: string, password: string | null): string {
  if (!password) return text
  return text.replaceAll(password, '***').replaceAll(encodeURIComponent(password), '***')
}

/** The cause is kept unless the secret is in it anywhere, as in the URL that a parser's error carries. */
function safeCause(error: unknown, password: string | null): unknown {
  if (!(error instanceof Error)) return undefined
  if (!password) return error
  const everything = [error.message, error.stack ?? '', ...Object.values(error).map((value) => String(value))].join(
    '\n',
  )
  return everything.includes(password) || everything.includes(encodeURIComponent(password)) ? undefined : error
}
