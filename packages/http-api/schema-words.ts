// The small words that the messages of every API share.
import { type Static, type TSchema, Type } from 'typebox'

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/**
 * An object whose keys are data. Not `Type.Record`: that matches keys by a pattern, and the serialiser leaves out those that it does not match, such as a
 * column's name with a line end in it.
 */
export const record = <T extends TSchema>(values: T, options: Record<string, unknown> = {}) =>
  Type.Unsafe<Record<string, Static<T>>>({ type: 'object', additionalProperties: values, ...options })

/** One of a fixed list of words. */
export function word<const Words extends readonly string[]>(words: Words, options: Record<string, unknown> = {}) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], ...options })
}

export const TimeSchema = Type.String({ format: 'date-time' })

export const ProblemSchema = Type.Object(
  {
    code: Type.String({ description: 'A code of docs/reference/errors.md.' }),
    message: Type.String({ description: 'What happened, in one sentence.' }),
    remedy: Type.String({ description: 'What to do about it.' }),
    retry: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
  },
  { title: 'Problem' },
)
export type Problem = Static<typeof ProblemSchema>
