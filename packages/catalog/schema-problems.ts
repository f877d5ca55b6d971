// What is wrong with a value, in words: of alternatives, the one is complained about that the value was meant to be.
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'

export interface SchemaProblem {
  readonly path: readonly (string | number)[]
  readonly reason: string
}

interface Node {
  readonly type?: string
  readonly anyOf?: readonly Node[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Node
  readonly items?: Node
}

/** Every problem of `value` under `schema`, in the order of the document. Empty when it fits. */
export function explainSchema(schema: TSchema, value: unknown): SchemaProblem[] {
  if (Value.Check(schema, value)) return []
  return problemsOf(schema as Node, value, [])
}

/** The path of a JSON pointer. */
export function pathOfPointer(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replace(/~1/g, '/').replace(/~0/g, '~'))
}

/** A path as a JSON pointer (RFC 6901); `/` for the root. */
export function pointerOf(path: readonly (string | number)[]): string {
  if (path.length === 0) return '/'
  return path.map((step) => `/${String(step).replace(/~/g, '~0').replace(/\//g, '~1')}`).join('')
}

function problemsOf(node: Node, value: unknown, path: readonly (string | number)[]): SchemaProblem[] {
  if (isValid(node, value)) return []
  if (node.anyOf) return alternatives(node.anyOf, value, path)
  if (node.type === 'object' && isObject(value)) return objectProblems(node, value, path)
  if (node.items && Array.isArray(value)) {
    const below = value.flatMap((item, index) => problemsOf(node.items!, item, [...path, index]))
    if (below.length > 0) return below
  }
  return [{ path, reason: Value.Errors(node as TSchema, value)[0]?.message ?? 'must be something else' }]
}

function objectProblems(
  node: Node,
  value: Readonly<Record<string, unknown>>,
  path: readonly (string | number)[],
): SchemaProblem[] {
  const problems: SchemaProblem[] = []
  for (const [key, member] of Object.entries(value)) {
    const known = node.properties?.[key] ?? (isObject(node.additionalProperties) ? node.additionalProperties : null)
    if (known) problems.push(...problemsOf(known as Node, member, [...path, key]))
    else if (node.additionalProperties === false) {
      problems.push({
        path: [...path, key],
        reason: `there is no such entry; known are ${Object.keys(node.properties ?? {}).join(', ')}`,
      })
    }
  }
  for (const key of node.required ?? []) {
    if (!(key in value)) problems.push({ path: [...path, key], reason: 'is missing' })
  }
  if (problems.length > 0) return problems
  return [{ path, reason: Value.Errors(node as TSchema, value)[0]?.message ?? 'must be something else' }]
}

function alternatives(branches: readonly Node[], value: unknown, path: readonly (string | number)[]): SchemaProblem[] {
  const constants = branches.map((branch) => branch.const)
  if (constants.every((constant) => constant !== undefined)) {
    return [{ path, reason: `must be one of ${constants.join(', ')}` }]
  }
  if (isObject(value)) {
    const meant = branches.filter((branch) => hasMarks(branch, value))
    if (meant.length === 1) return problemsOf(meant[0]!, value, path)
    const marks = [...new Set(branches.flatMap((branch) => Object.entries(branch.properties ?? {}).filter(isMark)))]
    if (marks.length > 0) {
      const name = marks[0]![0]
      const known = marks.filter(([key]) => key === name).map(([, { const: constant }]) => constant)
      return [{ path: [...path, name], reason: `must be one of ${[...new Set(known)].join(', ')}` }]
    }
  }
  const kinds = branches.map((branch) => branch.type ?? 'something else')
  return [{ path, reason: `must be ${kinds.join(' or ')}` }]
}

/** Whether every constant member of the branch (`type: 'api_key'`) is in the value. */
function hasMarks(branch: Node, value: Readonly<Record<string, unknown>>): boolean {
  const marks = Object.entries(branch.properties ?? {}).filter(isMark)
  return marks.length > 0 && marks.every(([key, { const: constant }]) => value[key] === constant)
}

/** Not as a type guard: what is wrong is still to be looked at. */
const isValid = (node: Node, value: unknown): boolean => Value.Check(node as TSchema, value)
const isMark = ([, node]: [string, Node]) => node.const !== undefined
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
