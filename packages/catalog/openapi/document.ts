// An OpenAPI document to look things up in. Nothing is fetched: a reference that leads out of it leads nowhere.
import { fail } from '@crossfade/model/failure.ts'
import { asObject, asText, type JsonObject } from '../json-value.ts'
import { upgradeSwagger2 } from './swagger2.ts'

/** References that lead to references: more of them in a row than this are a circle. */
const referenceHopsMax = 20

export interface OpenApiDocument {
  /** As OpenAPI 3; Swagger 2 has been upgraded. */
  readonly root: JsonObject
  /** What a reference (`#/components/schemas/Pet`) points at; undefined when there is nothing. */
  resolve(reference: string): unknown
  /** `node`, or what it refers to, as an object; null when it leads nowhere. */
  follow(node: unknown): JsonObject | null
}

/** Throws CF10030 when `raw` is no OpenAPI 2.0, 3.0 or 3.1 document. */
export function openDocument(raw: unknown, file: string): OpenApiDocument {
  const object = asObject(raw)
  if (!object) throw fail('CF10030', { file, reason: 'it is no object' })
  const version = asText(object['openapi']) || asText(object['swagger'])
  if (!/^(2\.0|3\.[01])/.test(version) && object['swagger'] !== 2) {
    throw fail('CF10030', { file, reason: version ? `its version is ${version}` : 'it names no OpenAPI version' })
  }
  if (!asObject(object['paths'])) throw fail('CF10030', { file, reason: 'it has no paths' })
  const root = version.startsWith('3.') ? object : upgradeSwagger2(object)
  const resolved = new Map<string, unknown>()
  const resolve = (reference: string) => {
    if (!resolved.has(reference)) resolved.set(reference, resolvePointer(root, reference))
    return resolved.get(reference)
  }
  return { root, resolve, follow: (node) => follow(node, resolve) }
}

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
