import { type ErrorCode, errorDefinitions } from './error-codes.ts'
import type { ErrorDefinition } from './error-definition.ts'

export type Details = Readonly<Record<string, string | number | bigint | boolean | null | undefined>>

/** A coded failure: what happened in one sentence, what to do about it, and the cause. Never holds a secret. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: ErrorCode
  readonly details: Details

  constructor(code: ErrorCode, details: Details, options?: { cause?: unknown }) {
    super(sentence(code, details), options)
    this.code = code
    this.details = details
  }

  get remedy(): string {
    return remedy(this.code, this.details)
  }

  get retry(): boolean {
    return errorDefinitions[this.code].retry
  }
}

/** Makes a coded failure: `throw fail('CF2001', { shard, reason }, cause)`. */
export function fail(code: ErrorCode, details: Details = {}, cause?: unknown): Failure {
  return new Failure(code, details, cause === undefined ? undefined : { cause })
}

/** An assertion: throws CF9001 when what must hold does not. */
export function invariant(holds: unknown, reason: string): asserts holds {
  if (!holds) throw fail('CF9001', { reason })
}

/** The definition's sentence with its `{names}` filled in. */
export function sentence(code: ErrorCode, details: Details): string {
  const definition: ErrorDefinition = errorDefinitions[code]
  // A value that is a sentence itself brings a full stop, where the definition has one already.
  return definition.sentence.replace(/\{(\w+)\}(\.?)/g, (_, name: string, stop: string) => {
    const value = String(details[name] ?? 'unknown')
    return stop && /[^.]\.$/.test(value) ? value : value + stop
  })
}

/** The definition's remedy with those of its `{names}` filled in that are known. */
export function remedy(code: ErrorCode, details: Details): string {
  return errorDefinitions[code].remedy.replace(/\{(\w+)\}/g, (whole, name: string) => String(details[name] ?? whole))
}

/** The text of whatever was thrown, one line. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return reasonOf(thrown.errors[0])
  return thrown instanceof Error ? thrown.message.split('\n')[0]! : String(thrown)
}
