// What a person fills in to connect a service, and what becomes of it.
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { Credential } from './session.ts'

/** One thing to fill in. `in` says where its value goes in `CredentialInput`. */
export interface Field {
  readonly in: 'body' | 'additional' | 'variables'
  readonly name: string
  readonly label: string
  readonly secret: boolean
  readonly required: boolean
  readonly help: string | null
  readonly pattern: string | null
  readonly default: string | null
}

export interface CredentialInput {
  readonly apiKey?: string
  readonly username?: string
  readonly password?: string
  readonly accessToken?: string
  readonly additional?: Readonly<Record<string, string>>
  readonly variables?: Readonly<Record<string, string>>
}

/** Of one secret. */
const secretCharactersMax = 8192

/** What has to be filled in for the service, in the order of a form. */
export function fieldsOf(config: ServiceConfig): Field[] {
  const { auth } = config
  const secret = (name: string, label: string, help: string | null, required = true): Field => {
    return { in: 'body', name, label, secret: true, required, help, pattern: null, default: null }
  }
  const further = ('additional' in auth ? (auth.additional ?? []) : []).map(
    ({ name, label, required, help }): Field => ({ ...secret(name, label, help ?? null, required), in: 'additional' }),
  )
  const variables = Object.entries(config.variables ?? {}).map(
    ([name, variable]): Field => ({
      in: 'variables',
      name,
      label: variable.label,
      secret: false,
      required: variable.default === undefined,
      help: variable.help ?? null,
      pattern: variable.pattern,
      default: variable.default ?? null,
    }),
  )
  switch (auth.type) {
    case 'none':
      return variables
    case 'api_key':
      return [...variables, secret('apiKey', auth.label, auth.help), ...further]
    case 'basic_auth':
      return [
        ...variables,
        // Some services take a key as the user's name and nothing as the password.
        {
          ...secret('username', auth.usernameLabel, auth.help),
          secret: /\bAPI (?:key|token)$/i.test(auth.usernameLabel),
        },
        secret('password', auth.passwordLabel, null, false),
        ...further,
      ]
    case 'oauth2':
      return [...variables, ...(auth.pasted ? [secret('accessToken', auth.pasted.label, auth.pasted.help)] : [])]
  }
}

/** The credential that was filled in. Throws CF12012, which names the field and never its value. */
export function readCredential(config: ServiceConfig, input: CredentialInput): Credential {
  const { auth } = config
  const fields = fieldsOf(config)
  const takes = (name: string): boolean => fields.some((field) => field.in === 'body' && field.name === name)
  for (const name of ['apiKey', 'username', 'password', 'accessToken'] as const) {
    if (input[name] !== undefined && !takes(name)) throw wrong(config, name, 'this service does not take it')
  }
  for (const name of Object.keys(input.additional ?? {})) {
    if (!fields.some((field) => field.in === 'additional' && field.name === name))
      throw wrong(config, `additional.${name}`, 'this service does not take it')
  }
  const given = (field: string, value: string | undefined, required = true): string => {
    const text = value?.trim() ?? ''
    if (required && text === '') throw wrong(config, field, 'it is missing')
    if (text.length > secretCharactersMax)
      throw wrong(config, field, `it is longer than ${secretCharactersMax} characters`)
    // A line end in a header would begin another header.
    if (/[\u0000-\u001f\u007f]/.test(text)) throw wrong(config, field, 'it has line ends or control characters in it')
    return text
  }
  const additional: Record<string, string> = {}
  for (const field of fields) {
    if (field.in !== 'additional') continue
    const text = given(`additional.${field.name}`, input.additional?.[field.name], field.required)
    if (text !== '') additional[field.name] = text
  }
  switch (auth.type) {
    case 'none':
      return { kind: 'none' }
    case 'api_key':
      return { kind: 'api_key', apiKey: given('apiKey', input.apiKey), additional }
    case 'basic_auth': {
      const username = given('username', input.username)
      if (username.includes(':'))
        throw wrong(config, 'username', 'it has a colon in it, which basic authentication can’t carry')
      return { kind: 'basic_auth', username, password: given('password', input.password, false), additional }
    }
    case 'oauth2':
      if (!auth.pasted)
        throw wrong(config, 'accessToken', 'this service is connected by going through its consent page')
      return { kind: 'oauth2', accessToken: given('accessToken', input.accessToken) }
  }
}

/** Values of the base URL's variables: what was filled in, else what there was, else the defaults. Throws CF12012. */
export function readVariables(
  config: ServiceConfig,
  filledIn: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const known = config.variables ?? {}
  for (const name of Object.keys(filledIn)) {
    if (!Object.hasOwn(known, name)) throw wrong(config, `variables.${name}`, 'this service has no such variable')
  }
  const values: Record<string, string> = {}
  for (const [name, variable] of Object.entries(known)) {
    const value = (filledIn[name] ?? before[name] ?? variable.default)?.trim()
    if (value === undefined || value === '') throw wrong(config, `variables.${name}`, 'it is missing')
    if (!new RegExp(`^(?:${variable.pattern})$`, 'u').test(value))
      throw wrong(config, `variables.${name}`, `it must look like ${variable.pattern}`)
    values[name] = value
  }
  return values
}

function wrong(config: ServiceConfig, field: string, reason: string): Error {
  return fail('CF12012', { field, reason, service: config.serviceType })
}
