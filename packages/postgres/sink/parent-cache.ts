import { type TableName, tableKey } from '@crossfade/model/table-name.ts'

/** Parent rows whose shard key is remembered, for each column that children refer to. */
export const parentsMax = 200_000

/** Shard keys of parent rows by the value that children refer to; the least recently used are forgotten. */
export class ParentCache {
  readonly #max: number
  readonly #keys = new Map<string, Map<string, string | null>>()

  constructor(max = parentsMax) {
    this.#max = max
  }

  /** Undefined: not known. Null: the parent's key is NULL. */
  get(parent: TableName, column: string, value: string): string | null | undefined {
    const keys = this.#of(nameOf(parent, column))
    const key = keys.get(value)
    if (key === undefined) return undefined
    keys.delete(value)
    keys.set(value, key)
    return key
  }

  set(parent: TableName, column: string, value: string, key: string | null): void {
    const keys = this.#of(nameOf(parent, column))
    keys.delete(value)
    keys.set(value, key)
    if (keys.size > this.#max) keys.delete(keys.keys().next().value!)
  }

  clear(): void {
    this.#keys.clear()
  }

  #of(name: string): Map<string, string | null> {
    let keys = this.#keys.get(name)
    if (!keys) {
      keys = new Map()
      this.#keys.set(name, keys)
    }
    return keys
  }
}

const names = new WeakMap<object, Map<string, string>>()

function nameOf(parent: TableName, column: string): string {
  let byColumn = names.get(parent)
  if (!byColumn) {
    byColumn = new Map()
    names.set(parent, byColumn)
  }
  let name = byColumn.get(column)
  if (name === undefined) {
    name = `${tableKey(parent)} ${column}`
    byColumn.set(column, name)
  }
  return name
}
