import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { errorDefinitions } from '@crossfade/model/error-codes.ts'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { TaskFailure } from '@crossfade/tracks/contract/tasks.ts'
import { unknownAttemptsMax } from './backoff.ts'
import type { FailureView } from './contract.ts'

/** Makes a coded failure of whatever was thrown. */
export function coded(thrown: unknown, where: string): Failure {
  return thrown instanceof Failure ? thrown : fail('CF6007', { where, reason: reasonOf(thrown) }, thrown)
}

/** Whether it is tried again by itself, after `attempts` failed ones. */
export function retries(failure: Failure, attempts: number): boolean {
  return failure.retry && (failure.code !== 'CF6007' || attempts < unknownAttemptsMax)
}

/** A failure as people see it. Times in milliseconds since 1970; no `nextAttemptAt` means that it waits for a person. */
export function failureView(failure: Failure, where: string, at: number, nextAttemptAt: number | null): FailureView {
  return {
    code: failure.code,
    message: failure.message,
    remedy: failure.remedy,
    retry: nextAttemptAt !== null,
    where,
    at: new Date(at).toISOString(),
    nextAttemptAt: nextAttemptAt === null ? null : new Date(nextAttemptAt).toISOString(),
  }
}

/** The failure that a task keeps, as people see it. */
export function taskFailureView(failure: TaskFailure, where: string, nextAttemptAt: number | null): FailureView {
  return {
    code: failure.code,
    message: failure.message,
    remedy: remedyOf(failure.code),
    retry: failure.retry,
    where,
    at: new Date(failure.at).toISOString(),
    nextAttemptAt: nextAttemptAt === null ? null : new Date(nextAttemptAt).toISOString(),
  }
}

function remedyOf(code: ErrorCode): string {
  return errorDefinitions[code].remedy
}

/** Another process has the lease, or the journal moved on: nobody's failure. */
export function isStale(thrown: unknown): boolean {
  return thrown instanceof Failure && (thrown.code === 'CF6005' || thrown.code === 'CF6006')
}

/** Somebody else holds the lease now. */
export function isLost(thrown: unknown): boolean {
  return thrown instanceof Failure && thrown.code === 'CF6006'
}
