import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import type { Details } from '@crossfade/model/failure.ts'
import { isObject } from './recognise.ts'

/** Levels of objects and arrays in a body: real arguments have under twenty, and whatever walks them later may recurse. */
export const nestingLevelsMax = 64
/** Ids are echoed, so a client must not make us send its megabytes back. */
export const idCharactersMax = 256

/** Why a parsed body is not taken, whatever it asks for; null for the others. Looks at every value once. */
export function bodyTrouble(body: unknown): { readonly code: ErrorCode; readonly details: Details } | null {
  const trouble = troubleWithin(body, 1)
  if (trouble === 'deep') return { code: 'CF13005', details: { levels: nestingLevelsMax } }
  if (trouble === 'prototype') return { code: 'CF13006', details: {} }
  if (isObject(body) && typeof body['id'] === 'string' && body['id'].length > idCharactersMax) {
    return { code: 'CF13001', details: { characters: idCharactersMax } }
  }
  return null
}

function troubleWithin(value: unknown, level: number): 'deep' | 'prototype' | null {
  if (value === null || typeof value !== 'object') return null
  if (level > nestingLevelsMax) return 'deep'
  if (Array.isArray(value)) {
    for (const element of value) {
      if (element === null || typeof element !== 'object') continue
      const trouble = troubleWithin(element, level + 1)
      if (trouble !== null) return trouble
    }
    return null
  }
  for (const key in value) {
    if (key === '__proto__') return 'prototype'
    const member = (value as Record<string, unknown>)[key]
    if (member === null || typeof member !== 'object') continue
    const trouble = troubleWithin(member, level + 1)
    if (trouble !== null) return trouble
  }
  return null
}
