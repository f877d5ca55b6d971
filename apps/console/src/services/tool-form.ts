// A form for the arguments of a tool, from their JSON schema: simple types are fields, everything else is written as JSON.

export interface ArgumentField {
  readonly name: string
  readonly kind: 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'json'
  readonly required: boolean
  readonly description: string
  /** Of `choice`; others have none. */
  readonly choices: readonly (string | number)[]
  readonly placeholder: string
}

type Schema = Readonly<Record<string, unknown>>

/** Fields of the arguments, the required ones first. */
export function argumentFields(schema: Schema): ArgumentField[] {
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  return Object.entries(properties)
    .map(([name, property]) => fieldOf(name, isObject(property) ? property : {}, required.has(name)))
    .sort((one, other) => Number(other.required) - Number(one.required))
}

function fieldOf(name: string, property: Schema, required: boolean): ArgumentField {
  const choices = (Array.isArray(property['enum']) ? property['enum'] : []).filter(
    (value): value is string | number => typeof value === 'string' || typeof value === 'number',
  )
  const kind = kindOf(property, choices.length)
  return {
    name,
    kind,
    required,
    description: typeof property['description'] === 'string' ? property['description'] : '',
    choices: kind === 'choice' ? choices : [],
    placeholder: placeholderOf(property, kind),
  }
}

function kindOf(property: Schema, choices: number): ArgumentField['kind'] {
  const types = typesOf(property)
  // A text is right wherever a text or another simple value is.
  if (types.length > 1 && types.includes('string') && types.every((type) => simple.has(type))) return 'text'
  if (types.length !== 1) return 'json'
  if (choices > 0 && types[0] !== 'boolean') return 'choice'
  switch (types[0]) {
    case 'string':
      return 'text'
    case 'number':
    case 'integer':
    case 'boolean':
      return types[0]
    default:
      return 'json'
  }
}

const simple: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean'])

/** Which types a value may have, apart from null; `undefined` among them for what says none. */
function typesOf(property: Schema): unknown[] {
  const union = property['type'] === undefined ? (property['anyOf'] ?? property['oneOf']) : undefined
  const types = Array.isArray(union)
    ? union.flatMap((one) => (isObject(one) && one['enum'] === undefined ? typesOf(one) : [undefined]))
    : Array.isArray(property['type'])
      ? property['type']
      : [property['type']]
  return [...new Set(types)].filter((type) => type !== 'null')
}

function placeholderOf(property: Schema, kind: ArgumentField['kind']): string {
  const shown = property['default'] ?? (Array.isArray(property['examples']) ? property['examples'][0] : undefined)
  if (shown !== undefined) return typeof shown === 'string' ? shown : JSON.stringify(shown)
  if (property['format'] === 'date') return '2026-01-31'
  if (property['format'] === 'date-time') return '2026-01-31T12:00:00Z'
  if (kind !== 'json') return ''
  return property['type'] === 'array' ? '[ ]' : property['type'] === 'object' ? '{ }' : 'JSON'
}

/** The arguments that were filled in, or what is wrong with which field. Empty fields are left out. */
export function readArguments(
  fields: readonly ArgumentField[],
  values: Readonly<Record<string, string>>,
): { readonly given: Record<string, unknown> } | { readonly wrong: Readonly<Record<string, string>> } {
  // Without a prototype: an argument may have any name.
  const given: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  const wrong: Record<string, string> = Object.create(null) as Record<string, string>
  for (const field of fields) {
    const text = values[field.name] ?? ''
    if (text.trim() === '' && !(field.kind === 'text' && text !== '')) {
      if (field.required) wrong[field.name] = 'This is needed.'
      continue
    }
    const read = readOne(field, text)
    if (read === undefined) wrong[field.name] = reasons[field.kind]
    else given[field.name] = read
  }
  return Object.keys(wrong).length > 0 ? { wrong } : { given: { ...given } }
}

const reasons: Readonly<Record<ArgumentField['kind'], string>> = {
  text: 'This is no text.',
  number: 'This is no number.',
  integer: 'This is no whole number.',
  boolean: 'Choose true or false.',
  choice: 'Choose one of the list.',
  json: 'This is not JSON.',
}

/** Undefined for what can't be read. */
function readOne({ kind, choices }: ArgumentField, text: string): unknown {
  switch (kind) {
    case 'text':
      return text
    case 'number':
    case 'integer': {
      const number = Number(text)
      return Number.isFinite(number) && (kind === 'number' || Number.isSafeInteger(number)) ? number : undefined
    }
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'choice':
      return choices.find((choice) => String(choice) === text)
    case 'json':
      return parseJson(text)
  }
}

/** Undefined for what is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
