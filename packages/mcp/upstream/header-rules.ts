// What may stand in a request's headers, and who may say so.

/** Headers that no argument may set: they frame or route the request, belong to the connection, or speak for somebody. */
const refusedNames: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-encoding',
  'content-length',
  'cookie',
  'expect',
  'forwarded',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-http-method-override',
  'x-original-url',
  'x-rewrite-url',
])
const refusedPrefixes = ['proxy-', 'x-forwarded-', 'sec-']

/** OpenAPI: parameters of these names "shall be ignored"; the request has them from elsewhere. */
const ignoredNames: ReadonlySet<string> = new Set(['accept', 'authorization', 'content-type'])

/** What happens to an argument that is sent as the header `name`. */
export function headerRule(name: string): 'allowed' | 'ignored' | 'refused' {
  const lower = name.toLowerCase()
  if (ignoredNames.has(lower)) return 'ignored'
  if (!tokenPattern.test(lower) || refusedNames.has(lower)) return 'refused'
  return refusedPrefixes.some((prefix) => lower.startsWith(prefix)) ? 'refused' : 'allowed'
}

/** Whether a description may have the key sent as the header `name`: not where requests are framed or routed. */
export function mayHoldKey(name: string): boolean {
  const lower = name.toLowerCase()
  return lower === 'authorization' || lower === 'cookie' || headerRule(lower) === 'allowed'
}

/** RFC 9110 `token`. */
const tokenPattern = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** RFC 9110 `field-value` in Latin-1: no CR, LF, NUL or other control character, and no space at its ends. */
const valuePattern = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

export function isHeaderValue(text: string): boolean {
  return valuePattern.test(text)
}
