// References within a document. None leads out of it.
import { asObject, type JsonObject } from '../json-value.ts'

/** References that lead to references: more of them in a row than this are a circle. */
const referenceHopsMax = 20

/** The value at a JSON pointer in a URL fragment (`#/a/b~1c`), percent-decoded. */
export function resolvePointer(root: unknown, reference: string): unknown {
  if (reference === '#') return root
  if (!reference.startsWith('#/')) return undefined
  let value: unknown = root
  for (const step of reference.slice(2).split('/')) {
    if (typeof value !== 'object' || value === null) return undefined
    const key = decoded(step).replace(/~1/g, '/').replace(/~0/g, '~')
    const plain = step.replace(/~1/g, '/').replace(/~0/g, '~')
    const name = Object.hasOwn(value, key) ? key : plain
    if (!Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** Follows references that stand where an object is expected. */
export function follow(node: unknown, resolve: (reference: string) => unknown): JsonObject | null {
  let value = asObject(node)
  for (let hop = 0; hop < referenceHopsMax; hop++) {
    const reference = value?.['$ref']
    if (typeof reference !== 'string') return value
    value = asObject(resolve(reference))
  }
  return null
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step)
  } catch {
    return step
  }
}
