// Small answers, and the bound on what is read.

const bodyBytesMax = 64 * 1024

/** A JSON answer that nothing caches. */
export function answerJson(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store', ...headers } })
}

/** A redirect that a browser follows with GET. */
export function seeOther(location: string): Response {
  return new Response(null, { status: 303, headers: { location, 'cache-control': 'no-store' } })
}

/**
 * The request again with its body read, at most 64 KiB (else a 413 answer), its URL on the installation's own origin
 * (so that a forged Host changes nothing) and `headers` set over whatever the caller sent by those names.
 */
export async function boundedRequest(
  request: Request,
  baseUrl: string,
  headers: Record<string, string>,
): Promise<Request | Response> {
  const url = new URL(request.url)
  const own = new URL(`${url.pathname}${url.search}`, baseUrl)
  const ownHeaders = new Headers(request.headers)
  for (const [name, value] of Object.entries(headers)) ownHeaders.set(name, value)
  ownHeaders.delete('x-forwarded-host')
  ownHeaders.delete('x-forwarded-proto')
  if (request.body === null) return new Request(own, { method: request.method, headers: ownHeaders })
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of request.body) {
    bytes += part.byteLength
    if (bytes > bodyBytesMax) {
      return answerJson(413, { code: 'TOO_LARGE', message: `The body is larger than ${bodyBytesMax} bytes.` })
    }
    parts.push(part)
  }
  ownHeaders.delete('content-length')
  return new Request(own, { method: request.method, headers: ownHeaders, body: Buffer.concat(parts) })
}

/** Text as it may stand in HTML, also between quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
