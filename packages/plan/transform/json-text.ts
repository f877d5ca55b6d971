/** A parsed JSON value whose numbers keep the digits they were written with. */
export type Json = string | boolean | null | ExactNumber | readonly Json[] | { readonly [key: string]: Json }

/** A number by its digits: JavaScript's own would lose large and precise ones. */
export interface ExactNumber {
  readonly digits: string
}

const numberMark = Symbol('number')

/** Parses JSON and keeps numbers exact. Throws a SyntaxError. */
export function parseJson(text: string): Json {
  const revive = (_key: string, value: unknown, context: { source?: string }) =>
    typeof value === 'number' ? exactNumber(context.source!) : value
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown) as Json
}

/** JavaScript's own value as `Json`; what a plan writes as an option. */
export function toJson(value: unknown): Json {
  return parseJson(JSON.stringify(value ?? null))
}

/** Whether it is an object; neither an array nor a number that keeps its digits is one. */
export function isJsonObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isExactNumber(value as object)
}

/**
 * Prints JSON the way PostgreSQL prints jsonb: keys by length and then by bytes, `", "` and `": "` between. The target's text must be equal to this,
 * or verification through the transform would see a difference where there is none.
 */
export function jsonbText(value: Json): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(jsonbText).join(', ')}]`
  if (isExactNumber(value as object)) return (value as ExactNumber).digits
  const entries = Object.entries(value as Record<string, Json>).map(([key, held]) => ({
    bytes: Buffer.from(key),
    key,
    held,
  }))
  entries.sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes))
  return `{${entries.map(({ key, held }) => `${JSON.stringify(key)}: ${jsonbText(held)}`).join(', ')}}`
}

function exactNumber(digits: string): ExactNumber {
  return { digits: plainDigits(digits), [numberMark]: true } as ExactNumber
}

function isExactNumber(value: object): boolean {
  return numberMark in value
}

/** Without exponent, as numeric prints it: `1.5e3` is `1500`, `1e-3` is `0.001`; `-0` is `0`. */
function plainDigits(written: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(written)!
  const [, sign, whole, fraction = '', exponent = '0'] = match
  const shift = Number(exponent)
  const digits = whole! + fraction
  const point = whole!.length + shift
  const left = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0'
  const right = point >= 0 ? digits.slice(point) : '0'.repeat(-point) + digits
  const plain = left.replace(/^0+(?=\d)/, '') + (right === '' ? '' : `.${right}`)
  return /^[0.]+$/.test(plain) ? plain : sign + plain
}
