import { fail } from '@crossfade/model/failure.ts'
import type { ReversibleTransform, Row } from '@crossfade/pipeline/transform.ts'
import type { Static, TSchema } from 'typebox'
import { explain } from '../validation.ts'

/** A row as a plan's function takes and gives it. `null` leaves the row out. Must be pure: the same row, the same result, everywhere. */
export type RowFunction = (row: Row) => Row | null

/** A transform of one table's rows, made by one of the factories here or by `reversible`. */
export interface Transformer extends ReversibleTransform {
  /** For the plan's description: `mask(email, phone)`. */
  readonly description: string
}

/** A transform with its way back, from two functions. */
export function reversible(forward: RowFunction, backward: RowFunction, description = 'function'): Transformer {
  return { description, forward, backward }
}

/** Applies transformers in order; backward in the opposite order, and only when each of them has a way back. */
export function chain(transformers: readonly Transformer[]): Transformer {
  const description = transformers.map((transformer) => transformer.description).join(', ')
  const forward: RowFunction = (row) => {
    let current: Row | null = row
    for (const transformer of transformers) {
      if (current === null) return null
      current = transformer.forward(current)
    }
    return current
  }
  const back = transformers.map((transformer) => transformer.backward).reverse()
  if (back.includes(null)) return { description, forward, backward: null }
  const backward: RowFunction = (row) => {
    let current: Row | null = row
    for (const step of back) {
      if (current === null) return null
      current = step!(current)
    }
    return current
  }
  return { description, forward, backward }
}

/** A kind of transformer that plans, also YAML ones, use by name. */
export interface TransformerDefinition<Options> {
  readonly name: string
  readonly schema: TSchema
  readonly make: (options: Options) => Transformer
  /** One sentence for `crossfade new transform` and the documentation. */
  readonly summary: string
}

const registry = new Map<string, TransformerDefinition<never>>()

/**
 * Registers a kind of transformer and returns its typed factory. Names are unique in a process; registering one again fails with CF1032.
 * `make` is called with validated options only.
 */
export function defineTransformer<const Schema extends TSchema>(
  name: string,
  schema: Schema,
  make: (options: Static<Schema>) => Omit<Transformer, 'description'> & { readonly description?: string },
  summary = '',
): (options: Static<Schema>) => Transformer {
  if (registry.has(name)) throw fail('CF1032', { name })
  const factory = (options: Static<Schema>): Transformer => {
    const [problem] = explain(schema, options)
    if (problem) throw fail('CF1031', { name, place: problem.place, reason: problem.reason })
    const made = make(options)
    return { ...made, description: made.description ?? name }
  }
  registry.set(name, { name, schema, make: factory as never, summary })
  return factory
}

/** Makes a registered transformer by name, as YAML plans do. CF1030 for an unknown name, CF1031 for options that do not fit. */
export function createTransformer(name: string, options: unknown): Transformer {
  const definition = registry.get(name) as TransformerDefinition<unknown> | undefined
  if (!definition) throw fail('CF1030', { name, known: transformerNames().join(', ') })
  return definition.make(options ?? {})
}

/** Names of all registered transformers, sorted. */
export function transformerNames(): string[] {
  return [...registry.keys()].sort()
}

/** What is registered under a name; undefined when nothing is. */
export function transformerDefinition(
  name: string,
): Pick<TransformerDefinition<never>, 'name' | 'schema' | 'summary'> | undefined {
  return registry.get(name)
}
