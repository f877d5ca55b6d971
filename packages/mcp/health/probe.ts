import type { Agent, buildConnector } from 'undici'

/** Asks a URL and gives the status that it answered with. Rejects when there was no answer, with the `code` of the trouble. */
export interface Probe {
  ask(url: string, signal: AbortSignal): Promise<number>
  close(): Promise<void>
}

/** Nothing of an answer is read but its head. */
const headerBytesMax = 65_536

/**
 * Asks by GET, without a credential, a cookie or a body, following no redirect. `connect` decides where it may go: `guardedConnector()` of packages/mcp/upstream.
 * Connections are not kept: a service is asked again much later.
 */
export function createProbe(connect: buildConnector.connector): Probe {
  // Loaded with the first question, some time after the start.
  let loading: Promise<{ readonly request: typeof import('undici').request; readonly agent: Agent }> | null = null
  const load = async () => {
    const { Agent, request } = await import('undici')
    return {
      request,
      agent: new Agent({ connect, connections: 4, keepAliveTimeout: 1, maxHeaderSize: headerBytesMax }),
    }
  }
  return {
    async ask(url, signal) {
      loading ??= load()
      const { request, agent } = await loading
      const headers = { accept: '*/*', 'user-agent': 'crossfade-health-check' }
      const { statusCode, body } = await request(url, { dispatcher: agent, method: 'GET', headers, signal })
      // The rest of the answer is of no interest; ending it early shows as an error of the stream.
      body.on('error', () => undefined).destroy()
      return statusCode
    },
    close: async () => (await loading)?.agent.destroy(),
  }
}
