import type { TableName } from '@crossfade/model/table-name.ts'

/** How the shard key of a table's row is found. */
export type TableRoute =
  /** One database on that side, or a table that is not split: every row goes to the topology's only shard. */
  | { readonly kind: 'whole' }
  /** The key sits in the row. */
  | { readonly kind: 'column'; readonly column: string }
  /** The key is found in a parent row: `column` here refers to `parentColumn` there, and the parent's own route goes on from it. */
  | {
      readonly kind: 'parent'
      readonly column: string
      readonly parent: TableName
      readonly parentColumn: string
      readonly then: TableRoute
    }
  /** The same rows live on every shard; the first source shard is the one that is copied and followed. */
  | { readonly kind: 'reference' }
