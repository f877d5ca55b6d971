// The small words that all messages of the API share.
import { ProblemSchema } from '@crossfade/http-api/schema-words.ts'
import { Type } from 'typebox'

export { nullable, type Problem, ProblemSchema, record, TimeSchema, word } from '@crossfade/http-api/schema-words.ts'

/** Any JSON object, as it came. */
export const AnyObject = Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true })

/** Answers of a list carry at most this many entries. */
export const pageEntriesMax = 200
const pageEntriesDefault = 50

/** `?offset=&limit=` of the lists that can be counted. */
export const pageQuery = {
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000, default: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageEntriesMax, default: pageEntriesDefault })),
}

/** What any route may answer instead, by status. */
export const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema } as Record<string, unknown>
