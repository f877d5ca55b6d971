// Looking into JSON whose shape nobody has promised.
export type JsonObject = Readonly<Record<string, unknown>>

/** `value` when it is an object and no array, else null. */
export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
}

/** `value` when it is an array, else an empty one. */
export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** `value` when it is a text, else an empty one. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** The texts of an array. */
export function textsOf(value: unknown): string[] {
  return asArray(value).filter((each): each is string => typeof each === 'string')
}

/** The objects of an array. */
export function objectsOf(value: unknown): JsonObject[] {
  return asArray(value).filter((each): each is JsonObject => asObject(each) !== null)
}

/** JSON with the members of every object in alphabetical order: equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    const object = asObject(each)
    if (!object) return each
    return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
  })
}
