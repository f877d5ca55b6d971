import { Failure, fail } from '@crossfade/model/failure.ts'
import { type HttpAnswer, httpAnswerOf } from '@crossfade/model/http-answers.ts'
import type { Problem } from './contract/vocabulary.ts'

/** What the caller is told. Causes and stacks stay in the server's log. */
export function problemOf(error: unknown): Problem {
  const failure = failureOf(error)
  return { code: failure.code, message: failure.message, remedy: failure.remedy, retry: failure.retry }
}

/** Status and time to wait, by the platform's table; of requests that Fastify refuses, what it says. */
export function answerOf(error: unknown): HttpAnswer {
  if (error instanceof Failure) {
    const answer = httpAnswerOf(error)
    // No such instance is the caller's: that is no question of who asks.
    return error.code === 'CF12001' ? { ...answer, status: 404 } : answer
  }
  const { validation, statusCode } = error as { validation?: unknown; statusCode?: number }
  if (validation) return { status: 400, retryAfterSeconds: null }
  const isRefused = statusCode !== undefined && statusCode >= 400 && statusCode < 500
  return { status: isRefused ? statusCode : 500, retryAfterSeconds: null }
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error
  const { validation, statusCode, message } = error as { validation?: unknown; statusCode?: number; message: string }
  if (validation || (statusCode !== undefined && statusCode < 500)) return fail('CF12033', { reason: message })
  return fail('CF9001', { reason: 'a request failed in a way that has no code' })
}
