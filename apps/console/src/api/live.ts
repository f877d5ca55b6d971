import { send } from './client.ts'
import type { LiveEvent } from './contract.ts'

const reconnectMs = 1_000

/**
 * Follows a stream of live events from the journal position `after` until the signal is aborted; comes back by itself, and asks for the entries it missed meanwhile.
 * Written on `fetch` rather than `EventSource`, because only that can carry the bearer token.
 */
export async function follow(
  path: string,
  after: number,
  signal: AbortSignal,
  onEvent: (event: LiveEvent) => void,
  onState: (connected: boolean) => void,
): Promise<void> {
  let lastId = String(after)
  while (!signal.aborted) {
    try {
      const response = await send(path, { signal, headers: { 'last-event-id': lastId } })
      onState(true)
      for await (const message of messages(response.body!)) {
        if (message.id) lastId = message.id
        if (message.data) onEvent(JSON.parse(message.data) as LiveEvent)
      }
    } catch {
      if (signal.aborted) return
    }
    onState(false)
    await new Promise((resolve) => setTimeout(resolve, reconnectMs))
  }
}

/** Splits an event stream into messages (WHATWG HTML, "Interpreting an event stream"). */
async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<{ id: string; data: string }> {
  let rest = ''
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const blocks = (rest + value).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      const field = (name: string) =>
        block
          .split('\n')
          .filter((line) => line.startsWith(`${name}: `))
          .map((line) => line.slice(name.length + 2))
          .join('\n')
      yield { id: field('id'), data: field('data') }
    }
  }
}
