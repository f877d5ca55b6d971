// Between node's requests and the web's, for what the SDK serves.
import type { IncomingMessage, ServerResponse } from 'node:http'

/** The request as the SDK wants it, without its body: that is handed over parsed. Aborted when the client goes away. */
export function webRequest(request: IncomingMessage, response: ServerResponse): Request {
  const headers = new Headers()
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    // The SDK has no business with the credential, and must not hand it to anybody.
    if (request.rawHeaders[index]!.toLowerCase() === 'authorization') continue
    headers.append(request.rawHeaders[index]!, request.rawHeaders[index + 1]!)
  }
  // Only the method and the headers matter; the path may hold a secret.
  return new Request('http://instance.invalid/', {
    method: request.method!,
    headers,
    signal: goneSignal(response),
  })
}

/** A signal that fires when the client goes away before it has its answer. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) controller.abort()
  })
  return controller.signal
}

/** Writes a web response; waits for the client to read where it reads slowly. Resolves when it is written or the client has gone. */
export async function sendWebResponse(answer: Response, response: ServerResponse): Promise<void> {
  if (response.destroyed) {
    await answer.body?.cancel()
    return
  }
  const headers: string[] = []
  for (const [name, value] of answer.headers) {
    // Hop-by-hop headers are the HTTP server's to write.
    if (name !== 'connection' && name !== 'transfer-encoding') headers.push(name, value)
  }
  if (answer.body === null) {
    response.writeHead(answer.status, [...headers, 'Content-Length', '0'])
    response.end()
    return
  }
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) {
    const body = Buffer.from(await answer.arrayBuffer())
    response.writeHead(answer.status, [...headers, 'Content-Length', String(body.length)])
    response.end(body)
    return
  }
  response.writeHead(answer.status, headers)
  response.flushHeaders()
  const reader = answer.body.getReader()
  response.once('close', () => void reader.cancel().catch(() => {}))
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (!response.write(value)) await drained(response)
  }
  response.end()
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.once('drain', done)
    response.once('close', done)
  })
}
