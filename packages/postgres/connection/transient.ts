import { Failure } from '@crossfade/model/failure.ts'
import { codeOf } from './connection-failure.ts'

/** SQLSTATEs after which the same transaction may succeed without anybody changing anything. */
const transientStates = new Set([
  '40001', // serialization failure
  '40P01', // deadlock
  '53300', // too many connections
  '55P03', // a lock was not had in the time that was given
  '57P01', // the server is being stopped, or the session was terminated
  '57P02', // another session crashed
  '57P03', // the server is starting or stopping
  '57P05', // idle session timeout
])
const lostStates = new Set(['57P01', '57P02', '57P03', '57P05'])
const lostErrnos = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
])
/** What `pg` says when its connection is gone; these errors carry no code. */
const lostMessage =
  /^(Connection terminated|timeout expired|Client has encountered a connection error|Client was closed)/

/** Whether the same call may succeed later: a coded failure says so itself; otherwise the SQLSTATE or the errno decides. */
export function isTransient(error: unknown): boolean {
  if (error instanceof Failure) return error.retry
  const code = codeOf(error)
  return isConnectionLoss(error) || (code !== undefined && transientStates.has(code))
}

/** Whether the session is gone, so that nothing more can be said on it. */
export function isConnectionLoss(error: unknown): boolean {
  if (error instanceof Failure) return error.code === 'CF2016' || error.code === 'CF2001'
  const code = codeOf(error)
  if (code !== undefined)
    return (code.startsWith('08') && code !== '08P01') || lostStates.has(code) || lostErrnos.has(code)
  return error instanceof Error && lostMessage.test(error.message)
}
