// How the members of a form are written: OpenAPI's Encoding Object (3.0.4 and 3.1.1) and the defaults of members that have none.
import type { BodyMember } from '../catalog.ts'
import { asObject, asText, type JsonObject } from '../json-value.ts'
import type { OpenApiDocument } from './document.ts'
import type { ParameterScope } from './parameters.ts'
import { writingOf } from './styles.ts'

/** RFC 9110 media types, wildcards and parameters among them, in a list. Nothing else comes into a part's header. */
const mediaTypes = /^[\w.+*/-]+(?:;[\w.+="' -]*)?(?:\s*,\s*[\w.+*/-]+(?:;[\w.+="' -]*)?)*$/
const typesOfFiles = /^(?:image|audio|video|font)\/|octet-stream|pdf|zip|gzip|x-tar|msword|officedocument/i
/** Keywords that say something of a schema without saying which values it takes. */
const annotations = new Set(['title', 'description', 'example', 'examples', 'nullable', 'deprecated', 'externalDocs'])

type Encoding = Omit<BodyMember, 'argument' | 'name'>

/** `name[]=`, `name[key]=`; of a scalar `name=`. */
export const bracketed = { style: 'deepObject', explode: true } as const satisfies Encoding

/**
 * How a member is written. One of `style`, `explode` and `allowReserved` makes it like a parameter of a query, and `contentType` is ignored then; without
 * any of them `contentType` alone decides. OpenAPI 3.0 has the three for URL-encoded forms only; who writes them of a multipart form means them.
 */
export function formMember(
  name: string,
  encoding: JsonObject | null,
  schema: unknown,
  form: 'form' | 'multipart',
  { context: { document }, bracketedForms }: Pick<ParameterScope, 'context' | 'bracketedForms'>,
): Encoding {
  const says = encoding ?? {}
  if (['style', 'explode', 'allowReserved'].some((key) => says[key] !== undefined)) return writingOf(says, 'query')
  const contentType = asText(says['contentType']).trim()
  const named = mediaTypes.test(contentType) ? { contentType } : {}
  const binary = form === 'multipart' && isBinary(name, schema, contentType, document)
  if (bracketedForms && !binary && encoding === null && !name.endsWith('[]')) return bracketed
  return { ...named, ...(binary ? { binary: true } : {}) }
}

/** Whether `contentType` names a format that arguments can't be turned into, as XML of an object: the caller has to write it. */
export function isTextOfCaller({ contentType, binary }: Encoding): boolean {
  return contentType !== undefined && !binary && !/json/i.test(contentType)
}

/**
 * Bytes, or a list of them. A schema that says nothing at all is a file as well ("Considerations for File Uploads"), and so is a text called `file`
 * (Stripe, Linode, Zoom): nobody needs a multipart form for anything else.
 */
function isBinary(name: string, schema: unknown, contentType: string, document: OpenApiDocument): boolean {
  const own = document.follow(schema)
  if (isFile(name, own, contentType)) return true
  const items = asObject(own?.['items'])
  return items !== null && isFile(name, document.follow(items), contentType)
}

function isFile(name: string, schema: JsonObject | null, contentType: string): boolean {
  if (!schema) return false
  const { format, type } = schema
  if (format === 'binary' || type === 'file') return true
  if (asText(schema['contentEncoding'])) return false
  const mediaType = contentType || asText(schema['contentMediaType'])
  if (type === 'string') {
    if (format !== undefined || schema['enum'] !== undefined) return false
    return mediaType === '' ? name === 'file' : typesOfFiles.test(mediaType)
  }
  const says = Object.keys(schema).filter((key) => !annotations.has(key) && key !== 'contentMediaType')
  return says.length === 0 && !/json|^text\//i.test(mediaType)
}
