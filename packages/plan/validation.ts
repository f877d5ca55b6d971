import { editsBetween } from '@crossfade/model/near-names.ts'
import type { TSchema } from 'typebox'

export interface Problem {
  /** Where in the document: keys and indexes from its root. */
  readonly path: Path
  /** The same for people: `tables.shardKeys.users`. */
  readonly place: string
  readonly reason: string
}

/** Words that differ by more are different words. */
const editsOfTyposMax = 2

type Path = readonly (string | number)[]

/** The part of JSON Schema that the schemas here are made of. */
interface Node {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null'
  readonly description?: string
  readonly const?: unknown
  readonly anyOf?: readonly Node[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly patternProperties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: boolean | Node
  readonly required?: readonly string[]
  readonly minProperties?: number
  readonly items?: Node | readonly Node[]
  readonly prefixItems?: readonly Node[]
  readonly minItems?: number
  readonly minLength?: number
  readonly pattern?: string
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
}

/**
 * Says in plain words what is wrong with a value, every problem once, in the order of the document. Empty when it fits.
 * Where a schema offers alternatives, the complaint is about the one that the value comes closest to.
 */
export function explain(schema: TSchema, value: unknown): Problem[] {
  return problemsOf(schema as Node, value, [])
}

/** `tables.shardKeys.users`, `cutover.groups[0][1]`, `tables.where."my schema.t"`; `the plan` for its root. */
export function placeOf(path: Path): string {
  let place = ''
  for (const step of path) {
    if (typeof step === 'number') place += `[${step}]`
    else place += `${place === '' ? '' : '.'}${/^[\w$*-]+$/.test(step) ? step : JSON.stringify(step)}`
  }
  return place === '' ? 'the top' : place
}

function problemsOf(node: Node, value: unknown, path: Path): Problem[] {
  if (node.anyOf) return alternatives(node, node.anyOf, value, path)
  if ('const' in node) return value === node.const ? [] : [problem(path, `must be ${JSON.stringify(node.const)}`)]
  if (node.type && !hasType(node.type, value)) return [problem(path, `must be ${expected(node)}, not ${kindOf(value)}`)]
  if (typeof value === 'string') return stringProblems(node, value, path)
  if (typeof value === 'number') return numberProblems(node, value, path)
  if (Array.isArray(value)) return arrayProblems(node, value, path)
  if (typeof value === 'object' && value !== null && node.type === 'object') {
    return objectProblems(node, value as Record<string, unknown>, path)
  }
  return []
}

function alternatives(node: Node, branches: readonly Node[], value: unknown, path: Path): Problem[] {
  let best: { readonly problems: Problem[]; readonly fit: number } | null = null
  for (const branch of branches) {
    const problems = problemsOf(branch, value, path)
    if (problems.length === 0) return []
    const fit = fitOf(branch, value)
    if (!best || fit > best.fit || (fit === best.fit && problems.length < best.problems.length))
      best = { problems, fit }
  }
  if (best && best.fit > 0) return best.problems
  return [problem(path, `must be ${expected(node)}`)]
}

/** How much of the value a branch knows: 0 when it is of another kind altogether. */
function fitOf(node: Node, value: unknown): number {
  if (node.anyOf) return Math.max(...node.anyOf.map((branch) => fitOf(branch, value)))
  if (!node.type || !hasType(node.type, value) || 'const' in node) return 0
  if (node.type !== 'object') return 1
  const keys = Object.keys(value as object)
  if (node.patternProperties) return 1
  return keys.filter((key) => node.properties?.[key]).length
}

function objectProblems(node: Node, value: Record<string, unknown>, path: Path): Problem[] {
  const problems: Problem[] = []
  const pattern = Object.values(node.patternProperties ?? {})[0]
  const [keyPattern] = Object.keys(node.patternProperties ?? {})
  for (const key of Object.keys(value)) {
    if (value[key] === undefined) continue
    const below = node.properties?.[key] ?? (pattern && new RegExp(keyPattern!).test(key) ? pattern : undefined)
    if (below) problems.push(...problemsOf(below, value[key], [...path, key]))
    else if (pattern) problems.push(problem([...path, key], `the name must match ${keyPattern}`))
    else if (node.additionalProperties === false) problems.push(problem([...path, key], unknownKey(key, node)))
  }
  for (const key of node.required ?? []) {
    if (value[key] === undefined) problems.push(problem([...path, key], 'is missing'))
  }
  if (node.minProperties && Object.keys(value).length < node.minProperties) {
    problems.push(problem(path, 'must not be empty'))
  }
  return problems
}

function arrayProblems(node: Node, value: readonly unknown[], path: Path): Problem[] {
  if (node.minItems && value.length < node.minItems) return [problem(path, 'must not be empty')]
  const fixed = node.prefixItems ?? (Array.isArray(node.items) ? (node.items as readonly Node[]) : null)
  if (fixed) {
    if (value.length !== fixed.length) return [problem(path, `must have ${fixed.length} entries`)]
    return fixed.flatMap((item, index) => problemsOf(item, value[index], [...path, index]))
  }
  return value.flatMap((item, index) => problemsOf((node.items ?? {}) as Node, item, [...path, index]))
}

function stringProblems(node: Node, value: string, path: Path): Problem[] {
  if (value.length < (node.minLength ?? 0)) {
    return [problem(path, value === '' ? 'must not be empty' : `must have at least ${node.minLength} characters`)]
  }
  if (node.pattern && !new RegExp(node.pattern).test(value)) {
    return [
      problem(path, node.description ? `must be ${decapitalise(node.description)}` : `must match ${node.pattern}`),
    ]
  }
  return []
}

function numberProblems(node: Node, value: number, path: Path): Problem[] {
  if (node.minimum !== undefined && value < node.minimum) return [problem(path, `must be at least ${node.minimum}`)]
  if (node.exclusiveMinimum !== undefined && value <= node.exclusiveMinimum) {
    return [problem(path, `must be more than ${node.exclusiveMinimum}`)]
  }
  if (node.maximum !== undefined && value > node.maximum) return [problem(path, `must be at most ${node.maximum}`)]
  return []
}

function problem(path: Path, reason: string): Problem {
  return { path, place: placeOf(path), reason }
}

function unknownKey(key: string, node: Node): string {
  const known = Object.keys(node.properties ?? {})
  const near = known
    .map((name) => ({ name, edits: name.toLowerCase() === key.toLowerCase() ? 0 : editsBetween(name, key) }))
    .filter(({ edits }) => edits <= editsOfTyposMax)
    .sort((a, b) => a.edits - b.edits)[0]
  if (near) return `there is no such entry (did you mean ${near.name}?)`
  return known.length > 0 ? `there is no such entry; known are ${known.join(', ')}` : 'there is no such entry'
}

function expected(node: Node): string {
  const constants = node.anyOf?.map((branch) => branch.const)
  if (constants?.every((constant) => constant !== undefined)) {
    return `one of ${constants.map((constant) => JSON.stringify(constant)).join(', ')}`
  }
  if (node.description) return decapitalise(node.description)
  return node.type ? withArticle(node.type) : 'something else'
}

function hasType(type: NonNullable<Node['type']>, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  return withArticle(Array.isArray(value) ? 'array' : typeof value)
}

const withArticle = (noun: string) => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`
const decapitalise = (text: string) =>
  `${/^[A-Z]([a-z]| )/.test(text) ? text[0]!.toLowerCase() : text[0]}${text.slice(1)}`.replace(/\.$/, '')
