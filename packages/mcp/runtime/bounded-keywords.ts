// Keywords of JSON Schema that a stranger's schema or arguments could make slow, or that floating point makes wrong, as ones of our own: each takes its work
// from a budget of the check, and what is left when that is used up is left to the upstream.
import type * as Library from 'ajv/dist/2020.js'
import { patternCost } from './pattern-cost.ts'

/** Steps of regular expressions that one check may need at worst: some milliseconds. */
const patternStepsMax = 500_000
/** Values that are compared for uniqueness in one check, those inside of them among them. */
const comparedValuesMax = 50_000
const patternCharactersMax = 1_000

/** Ours, by the keywords that they stand for. */
export const boundedKeywords: ReadonlyMap<string, string> = new Map([
  ['pattern', 'crossfadePattern'],
  ['uniqueItems', 'crossfadeUnique'],
  ['multipleOf', 'crossfadeMultiple'],
])

export interface Budget {
  patternSteps: number
  comparedValues: number
}

export function newBudget(): Budget {
  return { patternSteps: patternStepsMax, comparedValues: comparedValuesMax }
}

/** Adds our keywords to an instance of the library; its checks take from `budget()`. */
export function addBoundedKeywords(
  ajv: Library.Ajv2020,
  { _, str }: Pick<typeof Library, '_' | 'str'>,
  budget: () => Budget,
): void {
  ajv.addKeyword({
    keyword: boundedKeywords.get('pattern')!,
    type: 'string',
    schemaType: 'string',
    compile: (pattern: string, parent) => patternTest(pattern, parent, budget),
    error: { message: ({ schemaCode }) => str`must match the pattern ${schemaCode}`, params: () => _`{}` },
  })
  ajv.addKeyword({
    keyword: boundedKeywords.get('uniqueItems')!,
    type: 'array',
    schemaType: 'boolean',
    compile: (isUnique: boolean) => (items: unknown[]) => !isUnique || allDiffer(items, budget()),
    error: { message: 'must not have the same element twice', params: () => _`{}` },
  })
  ajv.addKeyword({
    keyword: boundedKeywords.get('multipleOf')!,
    type: 'number',
    schemaType: 'number',
    compile: (multiple: number) => (value: number) => isMultiple(value, multiple),
    error: { message: ({ schemaCode }) => str`must be a multiple of ${schemaCode}`, params: () => _`{}` },
  })
}

/** A test that is always true where the pattern may not be run, or is shown to be wrong by the description's own examples. */
function patternTest(pattern: string, parent: Readonly<Record<string, unknown>>, budget: () => Budget) {
  const expression = pattern.length <= patternCharactersMax ? compiled(pattern) : null
  const cost = expression === null ? null : patternCost(pattern)
  if (expression === null || cost === null) return () => true
  const runs = (text: string, left: Budget): boolean => {
    const steps = cost(text.length)
    if (!(steps <= left.patternSteps)) return true
    left.patternSteps -= steps
    return expression.test(text)
  }
  const { examples, default: byDefault, enum: values } = parent
  const meant = [examples, values, byDefault].flat().filter((value) => typeof value === 'string')
  const own = newBudget()
  if (meant.some((text) => !runs(text, own))) return () => true
  return (text: string) => runs(text, budget())
}

function compiled(pattern: string): RegExp | null {
  try {
    return new RegExp(pattern, 'u')
  } catch {
    return null
  }
}

function allDiffer(items: readonly unknown[], budget: Budget): boolean {
  if (items.length < 2) return true
  budget.comparedValues -= items.length
  if (budget.comparedValues < 0) return true
  const seen = new Set<unknown>()
  for (const item of items) {
    // Texts of objects begin with a mark that no text of an argument is given.
    const key =
      typeof item === 'object' && item !== null
        ? `o${canonical(item, budget)}`
        : typeof item === 'string'
          ? `s${item}`
          : item
    if (budget.comparedValues < 0) return true
    if (seen.has(key)) return false
    seen.add(key)
  }
  return true
}

/** JSON with the members in the order of their names. Bodies have a bounded depth already. */
function canonical(value: unknown, budget: Budget): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const names = Object.keys(value)
  budget.comparedValues -= names.length
  if (budget.comparedValues < 0) return ''
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, budget)).join()}]`
  const members = names.sort().map((name) => {
    return `${JSON.stringify(name)}:${canonical((value as Record<string, unknown>)[name], budget)}`
  })
  return `{${members.join()}}`
}

/** Whether the decimal numbers are multiples: 19.99 is one of 0.01, whatever their quotient is in binary. */
function isMultiple(value: number, multiple: number): boolean {
  const quotient = value / multiple
  // Three roundings of half a unit in the last place: of the two numbers and of their quotient.
  return Math.abs(quotient - Math.round(quotient)) <= Math.abs(quotient) * 2 ** -51
}
