// Reads what we write with parsers that are not ours: `qs` for bracketed names, the platform's for everything else.
import { createRequire } from 'node:module'

const qs = createRequire(import.meta.url)('qs') as {
  parse(text: string, options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>
}

/** A query or a URL-encoded form as `qs` reads it, in the depth and length that tests need. */
export function bracketed(text: string): Readonly<Record<string, unknown>> {
  return qs.parse(text, { depth: 32, arrayLimit: 1000, parameterLimit: 10_000 })
}

/** The fields of a form, in order, as a browser's parser reads them. */
export async function fieldsOf(
  contentType: string,
  body: string | Buffer,
): Promise<readonly (readonly [name: string, value: string | File])[]> {
  const response = new Response(body as string | Buffer<ArrayBuffer>, { headers: { 'content-type': contentType } })
  return [...(await response.formData()).entries()] as [string, string | File][]
}
