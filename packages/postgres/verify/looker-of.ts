import type { Side } from '@crossfade/model/stage.ts'
import type { ComparedTable } from './compared-table.ts'
import { type Comparison, hashLooker, type Looker } from './look.ts'
import { transformLooker } from './through-transform.ts'

/** How the rows of a table are looked at by key: by hashes that the databases make, or, where a transform lies between, by the values. */
export function lookerOf(comparison: Comparison, table: ComparedTable, authority: Side): Looker {
  return table.transform === null
    ? hashLooker(comparison, table, authority)
    : transformLooker(comparison, table, authority)
}
