// An OpenAPI document to look things up in. Nothing is fetched: a reference that leads out of it leads nowhere.
import { fail } from '@crossfade/model/failure.ts'
import { asObject, asText, type JsonObject } from '../json-value.ts'
import { follow, resolvePointer } from './references.ts'
import { upgradeSwagger2 } from './swagger2.ts'

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
