import { invariant } from '@crossfade/model/failure.ts'
import { chain, createTransformer, type RowFunction, type Transformer } from './transformer.ts'
import './builtin.ts'

/** What a plan may write for a table: a function, a transformer, a registered one by name, or a list of these. */
export type TransformSpec = OneTransform | readonly OneTransform[]
type OneTransform =
  | RowFunction
  | Transformer
  | { readonly use: string; readonly with?: Readonly<Record<string, unknown>> }

/** Makes the transformer that a plan describes. CF1030 or CF1031 for a registered one that does not exist or whose options do not fit. */
export function transformerOf(spec: TransformSpec): Transformer {
  if (Array.isArray(spec)) return chain(spec.map(transformerOf))
  const one = spec as OneTransform
  if (typeof one === 'function') return { description: one.name || 'function', forward: one, backward: null }
  if ('use' in one) return createTransformer(one.use, one.with)
  invariant(typeof one.forward === 'function', 'a transformer without forward')
  return { description: one.description ?? 'function', forward: one.forward, backward: one.backward ?? null }
}
