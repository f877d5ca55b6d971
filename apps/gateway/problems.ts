import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { Problem } from './contract/vocabulary.ts'

/** Codes whose HTTP status is not the one of their kind. */
const statuses: Partial<Record<ErrorCode, number>> = {
  CF12001: 404,
  CF12003: 429,
  CF12004: 409,
  CF12005: 409,
  CF12013: 404,
  CF12014: 404,
  CF12015: 404,
  CF12016: 404,
  CF12018: 500,
  CF12019: 409,
  CF12020: 409,
  CF12021: 409,
  CF12022: 400,
  CF12023: 403,
  CF12026: 403,
  CF12030: 401,
  CF12031: 403,
  CF12032: 403,
  CF12033: 400,
  CF12034: 404,
  CF12035: 429,
  CF12036: 501,
  CF12037: 429,
  CF12302: 403,
  CF12303: 404,
  CF12501: 401,
}

/** What the caller is told. Causes and stacks stay in the server's log. */
export function problemOf(error: unknown): Problem {
  const failure = failureOf(error)
  return { code: failure.code, message: failure.message, remedy: failure.remedy, retry: failure.retry }
}

/** Values that are wrong 422, unknown things 404, what may work later 503, our own troubles 500. */
export function statusOf(error: unknown): number {
  if (error instanceof Failure) {
    const { code } = error
    return statuses[code] ?? (error.retry ? 503 : /^CF(9|11)/.test(code) ? 500 : 422)
  }
  const { validation, statusCode } = error as { validation?: unknown; statusCode?: number }
  if (validation) return 400
  return statusCode !== undefined && statusCode >= 400 && statusCode < 500 ? statusCode : 500
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error
  const { validation, statusCode, message } = error as { validation?: unknown; statusCode?: number; message: string }
  if (validation || (statusCode !== undefined && statusCode < 500)) return fail('CF12033', { reason: message })
  return fail('CF9001', { reason: 'a request failed in a way that has no code' })
}
