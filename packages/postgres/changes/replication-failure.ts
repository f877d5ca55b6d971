import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import { codeOf } from '../connection/connection-failure.ts'
import { isConnectionLoss } from '../connection/transient.ts'

/** What a failing replication command or stream was about. */
export interface ReplicationSubject {
  readonly shard: string
  readonly slot: string
  readonly publication: string
  readonly user: string
}

/**
 * Makes the coded failure of a replication command or of a stream that ended. What means lost history is never retryable; what only
 * means that the server or the connection is gone always is.
 */
export function replicationFailure(subject: ReplicationSubject, error: unknown): Failure {
  if (error instanceof Failure) return error
  const reason = reasonOf(error)
  const details = { ...subject, reason }
  const code = codeOf(error)
  // Messages come in the server's language; these names do not.
  const routine = (error as { routine?: string }).routine ?? ''
  if (isConnectionLoss(error)) return fail('CF3011', details, error)
  switch (code) {
    case '42704':
      return fail(/publication/i.test(routine) ? 'CF3015' : 'CF3012', details, error)
    case '42710':
      return fail('CF3021', details, error)
    case '42501':
      return fail('CF2014', details, error)
    case '53400':
      return fail('CF3016', details, error)
    case '55006':
      return fail('CF3014', details, error)
    case '55000':
      return fail(routine.endsWith('Requirements') ? 'CF3017' : 'CF3013', details, error)
    case '58P01':
      return fail('CF3013', details, error)
  }
  // Out of memory or disk, input/output errors: the server may recover.
  if (code !== undefined && /^(53|58)/.test(code)) return fail('CF3011', details, error)
  return fail('CF3022', details, error)
}
