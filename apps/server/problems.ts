import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { Failure } from '@crossfade/model/failure.ts'
import type { Problem } from './contract/vocabulary.ts'

/** Codes whose HTTP status is not the one of their range. */
const statuses: Partial<Record<ErrorCode, number>> = {
  CF6001: 404,
  CF6002: 409,
  CF6003: 503,
  CF6004: 409,
  CF6010: 404,
  CF7201: 401,
  CF7202: 403,
  CF7203: 403,
  CF7205: 400,
  CF7206: 404,
  CF7213: 503,
}

/** What the caller is told. Causes and stacks stay in the server's log. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Failure) {
    return { code: error.code, message: error.message, remedy: error.remedy, retry: error.retry }
  }
  const { validation, statusCode, message } = error as { validation?: unknown; statusCode?: number; message: string }
  if (validation || (statusCode !== undefined && statusCode < 500)) {
    const wrong = new Failure('CF7205', { reason: message })
    return { code: wrong.code, message: wrong.message, remedy: wrong.remedy, retry: false }
  }
  const ours = new Failure('CF9001', { reason: 'a request failed in a way that has no code' })
  return { code: ours.code, message: ours.message, remedy: ours.remedy, retry: false }
}

/** Plan and database troubles are the caller's to mend (422), ours are 500, unknown things 404. */
export function statusOf(error: unknown): number {
  if (error instanceof Failure) {
    return (
      statuses[error.code] ??
      (error.retry ? 503 : /^CF[12]/.test(error.code) ? 422 : error.code.startsWith('CF9') ? 500 : 409)
    )
  }
  const { validation, statusCode } = error as { validation?: unknown; statusCode?: number }
  if (validation) return 400
  return statusCode !== undefined && statusCode >= 400 && statusCode < 500 ? statusCode : 500
}
