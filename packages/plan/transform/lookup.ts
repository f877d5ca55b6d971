import { fail } from '@crossfade/model/failure.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ReversibleTransform, TransformLookup } from '@crossfade/pipeline/transform.ts'
import { loadPlan } from '../load.ts'
import type { Transformer } from './transformer.ts'

export interface Transforms {
  /** Source row to target row. */
  readonly forward: TransformLookup
  /** Both ways. CF1034 for a name that the plan file does not have. */
  readonly reversible: (name: string) => ReversibleTransform
}

/**
 * The transforms of a resolved plan, from its plan file. CF1006 when the file is no longer the one that was planned: rows already copied went through the old one.
 * Names are those of the resolved plan's tables.
 */
export async function loadTransforms(plan: ResolvedPlan): Promise<Transforms> {
  const named = new Map<string, Transformer>()
  if (plan.module) {
    const loaded = await loadPlan(plan.module.path)
    if (loaded.sha256 !== plan.module.sha256) throw fail('CF1006', { path: plan.module.path })
    for (const [name, transformer] of loaded.transforms) named.set(name, transformer)
  }
  const reversible = (name: string): ReversibleTransform => {
    const transformer = named.get(name)
    if (!transformer) throw fail('CF1034', { table: name, path: plan.module?.path ?? 'unknown' })
    return transformer
  }
  return { reversible, forward: (name) => reversible(name).forward }
}
