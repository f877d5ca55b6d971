// Everything that the compiled path does not recognise, served by the SDK.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { fail } from '@crossfade/model/failure.ts'
import { createMcpHandler, type McpHttpHandler } from '@modelcontextprotocol/server'
import { answerError, told } from './answers.ts'
import { type SdkServerParts, sdkServer } from './sdk-server.ts'
import { sendWebResponse, webRequest } from './web-bridge.ts'

/** Streams that may be open in a worker for one service, and for one instance. */
const subscriptionsMax = 10_000
export const instanceStreamsMax = 16
/** How long a stream of changes lives. Clients open another one then, and show their token again: what was revoked ends. */
const streamLifetimeMsMax = 15 * 60_000

export interface SdkPath {
  /** Answers a request. `parsedBody` is undefined where there is none. */
  serve(request: IncomingMessage, response: ServerResponse, parsedBody: unknown, parts: SdkServerParts): Promise<void>
  toolsChanged(serviceType: string): void
  promptsChanged(serviceType: string): void
  /** Ends all streams, telling clients. */
  close(): Promise<void>
}

export function createSdkPath(onTrouble: (error: unknown) => void): SdkPath {
  /** By service type: a change of one service's tools is told to its clients alone. */
  const handlers = new Map<string, McpHttpHandler>()
  const partsOf = new WeakMap<Request, SdkServerParts>()
  const streams = new Map<string, number>()

  return {
    async serve(request, response, parsedBody, parts) {
      const { instanceId, serviceType } = parts.instance.session
      const isStream = isListen(parsedBody)
      if (isStream && !enter(instanceId, response)) return
      const web = webRequest(request, response)
      partsOf.set(web, parts)
      const answer = await handlerOf(serviceType).fetch(web, parsedBody === undefined ? {} : { parsedBody })
      const lifetime = isStream ? setTimeout(() => response.destroy(), streamLifetimeMsMax).unref() : undefined
      try {
        await sendWebResponse(answer, response)
      } finally {
        clearTimeout(lifetime)
      }
    },
    toolsChanged(serviceType) {
      handlers.get(serviceType)?.notify.toolsChanged()
    },
    promptsChanged(serviceType) {
      handlers.get(serviceType)?.notify.promptsChanged()
    },
    async close() {
      await Promise.all([...handlers.values()].map((handler) => handler.close()))
      handlers.clear()
    },
  }

  function handlerOf(serviceType: string): McpHttpHandler {
    let handler = handlers.get(serviceType)
    if (handler === undefined) {
      handler = createMcpHandler(({ era, requestInfo }) => sdkServer(partsOf.get(requestInfo!)!, era), {
        maxSubscriptions: subscriptionsMax,
        onerror: onTrouble,
      })
      handlers.set(serviceType, handler)
    }
    return handler
  }

  /** Counts a stream of an instance, or refuses it. */
  function enter(instanceId: string, response: ServerResponse): boolean {
    const open = streams.get(instanceId) ?? 0
    if (open >= instanceStreamsMax) {
      const code = -32_000
      answerError(response, 429, { code, ...told(fail('CF13011', { streams: instanceStreamsMax })) })
      return false
    }
    streams.set(instanceId, open + 1)
    response.once('close', () => {
      const left = streams.get(instanceId)! - 1
      if (left === 0) streams.delete(instanceId)
      else streams.set(instanceId, left)
    })
    return true
  }
}

function isListen(body: unknown): boolean {
  return body !== null && typeof body === 'object' && 'method' in body && body.method === 'subscriptions/listen'
}
