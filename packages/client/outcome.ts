/** SQLSTATE by which a fence refuses a write. */
export const fencedSqlState = 'CF001'

/** What an error says about the statement that it answers. */
export type Outcome =
  /** A fence refused it; nothing happened. */
  | 'fenced'
  /** Lost against a concurrent transaction; nothing happened, the same may succeed. */
  | 'conflict'
  /** The connection is gone; whether the statement took effect is unknown. */
  | 'lost'
  /** The server refused it for a reason of its own; nothing happened. */
  | 'refused'

const conflictStates = new Set(['40001', '40P01'])
/** The server ends the session; what was running may have been done. */
const lostStates = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '25P04'])

/** Reads an error of a driver or a server by its SQLSTATE; what says nothing of a lost connection counts as refused. */
export function outcomeOf(error: unknown): Outcome {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown }
  if (code === fencedSqlState) return 'fenced'
  if (!isSqlState(code)) return isDriverLoss(error) ? 'lost' : 'refused'
  if (code.startsWith('08') || lostStates.has(code) || severity === 'FATAL' || severity === 'PANIC') return 'lost'
  return conflictStates.has(code) ? 'conflict' : 'refused'
}

/** Whether a connection that could not be had may be had later: the server is away or starting; not: it refused us, or the pool is used up. */
export function isUnreachable(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }
  return isSqlState(code) ? lostStates.has(code) : isDriverLoss(error)
}

/** Statements that change rows by their first word; others are sent, and the database says. */
export function isPlainWrite(text: string): boolean {
  return /^\s*(insert|update|delete|merge|truncate|copy)\b/i.test(text)
}

function isSqlState(code: unknown): code is string {
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !errnos.test(code)
}

/** Five-letter names of the operating system that look like an SQLSTATE. */
const errnos = /^E[A-Z]{4}$/

/** Errors of the network carry an errno, those of the driver only a message. */
function isDriverLoss(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code === 'string' && /^E[A-Z_]+$/.test(code)) return true
  return (
    typeof message === 'string' &&
    /^(Connection terminated|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed)/.test(
      message,
    )
  )
}
