import { invariant } from '@crossfade/model/failure.ts'

type Json = Record<string, unknown>

/** What a status means where the route says nothing more special. */
const usualMeanings: Readonly<Record<string, string>> = {
  '4XX': 'Refused: not valid, not allowed, or not possible now. The code says which.',
  '5XX': 'Something is out of reach, or broken. `retry` says whether the same request may succeed later.',
}

/** Says in an operation who may call it; `isOpen` takes the need of a token away. Operations that are hidden stay as they are. For the `transform` of @fastify/swagger. */
export function describeAccess<Schema>(schema: Schema, who: string, isOpen: boolean): Schema {
  if ((schema as Json | undefined)?.['hide']) return schema
  const { description, ...rest } = (schema ?? {}) as Json
  return {
    ...rest,
    description: typeof description === 'string' ? `${description}\n\n${who}` : who,
    ...(isOpen ? { security: [] } : {}),
  } as Schema
}

/**
 * Gives the description its final form: what carries a `title` becomes a component of that name, however often and however deep it stands, and every response says what
 * it is: by `meanings` where a status means something special in this API. For the `transformObject` of @fastify/swagger.
 */
export function describeComponents(document: Json, meanings: Readonly<Record<string, string>> = {}): Json {
  const components = (document['components'] ?? {}) as Json
  const named = new Map<string, { readonly schema: unknown; readonly text: string }>()

  function lift(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(lift)
    if (typeof value !== 'object' || value === null) return value
    const { title, ...rest } = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, lift(part)]))
    if (typeof title !== 'string' || !('type' in rest || 'anyOf' in rest)) {
      return title === undefined ? rest : { title, ...rest }
    }
    const text = JSON.stringify(rest)
    const before = named.get(title)
    invariant(before === undefined || before.text === text, `two schemas of the API are called ${title}`)
    named.set(title, { schema: rest, text })
    return { $ref: `#/components/schemas/${title}` }
  }

  const paths = lift(document['paths']) as Record<string, Record<string, { summary: string; responses: Json }>>
  for (const operations of Object.values(paths)) {
    for (const { summary, responses } of Object.values(operations)) {
      for (const [status, response] of Object.entries(responses as Record<string, { description: string }>)) {
        if (response.description === 'Default Response')
          response.description = meanings[status] ?? usualMeanings[status] ?? `${summary}.`
      }
    }
  }
  const schemas = Object.fromEntries(
    [...named].sort(([one], [other]) => one.localeCompare(other)).map(([name, { schema }]) => [name, schema]),
  )
  return { ...document, paths, components: { ...components, schemas } }
}
