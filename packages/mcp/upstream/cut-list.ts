// Cuts a long JSON list so that what is left is still correct JSON.

export interface CutList {
  readonly text: string
  readonly kept: number
  readonly total: number
  /** ` of "items"`, or empty for a list that is the whole answer. */
  readonly where: string
}

/** The answer with as many items of its list as fit into `charactersMax`; null when it holds no list that could be cut so far. */
export function cutList(value: unknown, charactersMax: number): CutList | null {
  if (Array.isArray(value)) return cut(value, charactersMax - 2, (items) => `[${items}]`, '')
  if (typeof value !== 'object' || value === null) return null
  const members = Object.entries(value)
  let longest: { readonly name: string; readonly list: readonly unknown[]; readonly length: number } | null = null
  for (const [name, list] of members) {
    if (!Array.isArray(list)) continue
    const { length } = JSON.stringify(list)
    if (longest === null || length > longest.length) longest = { name, list, length }
  }
  if (longest === null) return null
  const { name, list } = longest
  const around = JSON.stringify({ ...value, [name]: [] }).length
  const whole = (items: string) => {
    const written = members.map(([key, member]) => {
      return `${JSON.stringify(key)}:${key === name ? `[${items}]` : JSON.stringify(member)}`
    })
    return `{${written.join(',')}}`
  }
  return cut(list, charactersMax - around, whole, ` of "${name}"`)
}

function cut(list: readonly unknown[], room: number, whole: (items: string) => string, where: string): CutList | null {
  const kept: string[] = []
  let left = room
  for (const item of list) {
    const text = JSON.stringify(item)
    left -= text.length + 1
    if (left < 0) break
    kept.push(text)
  }
  return kept.length === 0 ? null : { text: whole(kept.join(',')), kept: kept.length, total: list.length, where }
}
