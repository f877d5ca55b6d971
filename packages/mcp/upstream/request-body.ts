// Arguments as the body of a request.
import type { CallBody } from '@crossfade/catalog/catalog.ts'
import { type FormValue, multipartForm, urlEncodedForm } from './form-body.ts'
import { scalarText } from './parameter-styles.ts'

export interface EncodedBody {
  readonly contentType: string
  readonly content: string | Buffer
}

type Arguments = Readonly<Record<string, unknown>>
type WholeBody = Extract<CallBody, { kind: 'whole' }>
type MembersBody = Extract<CallBody, { kind: 'members' }>
/** Ends the call with a sentence about one argument. */
export type RefuseArgument = (argument: string, reason: string) => never

/** The body for `values`, or null when it has none: no member is given, nothing is fixed, and none is required. */
export function encodeBody(body: CallBody, values: Arguments, refuse: RefuseArgument): EncodedBody | null {
  return body.kind === 'whole' ? wholeBody(body, values, refuse) : membersBody(body, values, refuse)
}

function wholeBody(body: WholeBody, values: Arguments, refuse: RefuseArgument): EncodedBody | null {
  const value = own(values, body.argument)
  if (value === undefined) return body.required ? refuse(body.argument, 'is missing') : null
  const { contentType } = body
  if (body.encoding === 'json') return { contentType, content: JSON.stringify(value) }
  if (body.encoding === 'base64') return { contentType, content: bytesOf(value, body.argument, refuse) }
  return { contentType, content: scalarText(value) }
}

function membersBody(body: MembersBody, values: Arguments, refuse: RefuseArgument): EncodedBody | null {
  const given = body.members.filter((member) => own(values, member.argument) !== undefined)
  if (given.length === 0 && !body.required && body.fixed === undefined && body.argumentsIn === undefined) return null
  if (body.encoding === 'json')
    return { contentType: body.contentType, content: JSON.stringify(objectOf(body, given, values)) }
  const form = formValues(body, given, values, refuse)
  if (body.encoding === 'multipart') return multipartForm(form)
  return { contentType: body.contentType, content: urlEncodedForm(form) }
}

function objectOf(body: MembersBody, given: MembersBody['members'], values: Arguments): Record<string, unknown> {
  const members: Record<string, unknown> = {}
  for (const member of given) define(members, member.name, values[member.argument])
  // What is fixed stands last: no argument takes its place.
  return { ...(body.argumentsIn === undefined ? members : { [body.argumentsIn]: members }), ...body.fixed }
}

function formValues(
  body: MembersBody,
  given: MembersBody['members'],
  values: Arguments,
  refuse: RefuseArgument,
): FormValue[] {
  const fixed = body.fixed ?? {}
  const fixedValues = Object.entries(fixed).map(([name, value]): FormValue => ({ member: { name }, value }))
  if (body.argumentsIn !== undefined) {
    const { argumentsIn: name } = body
    return [{ member: { name }, value: objectOf({ ...body, fixed: {} }, given, values)[name] }, ...fixedValues]
  }
  const ours = given
    .filter(({ name }) => !Object.hasOwn(fixed, name))
    .map((member): FormValue => {
      const value = values[member.argument]
      if (!member.binary) return { member, value }
      const files = Array.isArray(value) ? value : [value]
      return { member, value: files.map((file) => bytesOf(file, member.argument, refuse)) }
    })
  return [...ours, ...fixedValues]
}

/** An argument may be called `constructor`: what was not given is not there. */
function own(values: Arguments, argument: string): unknown {
  return Object.hasOwn(values, argument) ? values[argument] : undefined
}

const base64Pattern = /^[A-Za-z0-9+/_-]*={0,2}$/

function bytesOf(value: unknown, argument: string, refuse: RefuseArgument): Buffer {
  if (typeof value !== 'string') return refuse(argument, 'must be bytes as base64 text')
  const text = value.replace(/\s+/g, '')
  if (!base64Pattern.test(text)) return refuse(argument, 'is not base64')
  return Buffer.from(text, 'base64')
}

/** Sets a member without the meaning that `__proto__` has in an assignment. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
  } else {
    target[name] = value
  }
}
