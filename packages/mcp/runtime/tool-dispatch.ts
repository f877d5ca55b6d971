// One tool call from a checked request to a result: whose, which tool, may it, are the arguments right, is there room, then the caller.
import type { Tool } from '@crossfade/catalog/catalog.ts'
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { type Details, Failure, fail } from '@crossfade/model/failure.ts'
import { type CallToolResult, INVALID_PARAMS, ProtocolError } from '@modelcontextprotocol/server'
import type { ServedInstance } from '../instances/session.ts'
import type { CallLimits } from '../limits/limits.ts'
import type { ToolCaller, ToolOutcome } from '../upstream/upstream.ts'
import type { UsageRecorder } from '../usage/usage.ts'
import { told } from './answers.ts'
import { nearTools } from './near-tools.ts'
import { searchOperations } from './search-operations.ts'
import {
  callOperationName,
  callOperationSchema,
  searchOperationsName,
  searchOperationsSchema,
  searchResultsMax,
} from './search-tools.ts'
import type { ArgumentCheck } from './tool-arguments.ts'
import type { ToolView } from './tool-view.ts'

/** Key in a result's `_meta`: milliseconds to wait before the next call. */
export const retryAfterMetaKey = 'dev.crossfade/retryAfterMs'

export interface DispatchedCall {
  readonly instance: ServedInstance
  readonly view: ToolView
  readonly caller: ToolCaller
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly traceparent: string | undefined
  readonly signal: AbortSignal
}

export interface ToolDispatch {
  /**
   * Calls a tool. What goes wrong with a tool that exists is a result with `isError`, so that the model sees it; a tool that does not exist is a ProtocolError (-32602), as the
   * specification has it. Rejects with CF13013 when the signal was aborted. Every call is recorded once.
   */
  call(call: DispatchedCall): CallToolResult | Promise<CallToolResult>
}

export interface ToolDispatchParts {
  readonly usage: UsageRecorder
  readonly limits: CallLimits
  readonly check: ArgumentCheck
  /** Told of what is no client's mistake. */
  readonly onTrouble: (error: unknown) => void
}

export function createToolDispatch({ usage, limits, check, onTrouble }: ToolDispatchParts): ToolDispatch {
  return {
    call(call) {
      const startedMs = performance.now()
      const { view, name } = call
      if (view.hasSearch && name === searchOperationsName) {
        const result = searchResult(call)
        record(call, name, null, startedMs, { statusCode: 200, errorCode: codeIn(result) })
        return result
      }
      if (view.hasSearch && name === callOperationName) return callOperation(call, startedMs)
      const tool = view.tool(name)
      if (tool === undefined) {
        record(call, 'tools/call', null, startedMs, { statusCode: 0, errorCode: 'CF13002' })
        throw unknownTool(view, name)
      }
      return callTool(call, tool, call.arguments, startedMs)
    },
  }

  function callTool(
    call: DispatchedCall,
    tool: Tool,
    given: Readonly<Record<string, unknown>>,
    startedMs: number,
  ): CallToolResult | Promise<CallToolResult> {
    const refused = refusal(call, tool, given)
    if (refused !== null) {
      record(call, tool.name, tool, startedMs, { statusCode: 0, errorCode: codeIn(refused) })
      return refused
    }
    const { session, service } = call.instance
    const admission = limits.admit(session)
    if (!admission.admitted) {
      const seconds = Math.max(1, Math.ceil(admission.retryAfterMs / 1_000))
      const result = errorResult('CF13008', { limit: admission.reason, seconds })
      record(call, tool.name, tool, startedMs, { statusCode: 429, errorCode: 'CF13008' })
      return { ...result, _meta: { ...result._meta, [retryAfterMetaKey]: admission.retryAfterMs } }
    }
    return finish(call, tool, startedMs, () =>
      call.caller.call({
        session,
        service,
        tool,
        arguments: given,
        signal: call.signal,
        ...(call.traceparent === undefined ? {} : { traceparent: call.traceparent }),
      }),
    )
  }

  async function finish(
    call: DispatchedCall,
    tool: Tool,
    startedMs: number,
    carryOut: () => Promise<ToolOutcome>,
  ): Promise<CallToolResult> {
    try {
      const outcome = await carryOut()
      record(call, tool.name, tool, startedMs, outcome)
      return outcome.result
    } catch (error) {
      const failure = call.signal.aborted ? fail('CF13013', {}, error) : asFailure(error, tool)
      record(call, tool.name, tool, startedMs, { statusCode: 0, errorCode: failure.code })
      if (call.signal.aborted) throw failure
      if (failure !== error) onTrouble(error)
      return failureResult(failure)
    } finally {
      limits.ended(call.instance.session)
    }
  }

  function callOperation(call: DispatchedCall, startedMs: number): CallToolResult | Promise<CallToolResult> {
    const { view } = call
    const wrong = reasonAgainst(callOperationName, callOperationSchema, call.arguments)
    const name = call.arguments['name']
    const tool = wrong === null && typeof name === 'string' ? view.tool(name) : undefined
    if (wrong === null && tool !== undefined) {
      return callTool(call, tool, (call.arguments['arguments'] ?? {}) as Readonly<Record<string, unknown>>, startedMs)
    }
    const result = wrong ?? failureResult(unknownToolFailure(view, String(name)))
    record(call, callOperationName, null, startedMs, { statusCode: 0, errorCode: codeIn(result) })
    return result
  }

  function searchResult(call: DispatchedCall): CallToolResult {
    const wrong = reasonAgainst(searchOperationsName, searchOperationsSchema, call.arguments)
    if (wrong !== null) return wrong
    const { query, limit } = call.arguments as { readonly query: string; readonly limit?: number }
    return searchOperations(call.view, query, limit ?? searchResultsMax)
  }

  function refusal(call: DispatchedCall, tool: Tool, given: Readonly<Record<string, unknown>>): CallToolResult | null {
    if (call.view.canOnlyRead && !tool.annotations.readOnlyHint) return errorResult('CF13004', { tool: tool.name })
    return reasonAgainst(tool.name, tool.inputSchema, given)
  }

  function reasonAgainst(
    toolName: string,
    schema: Tool['inputSchema'],
    given: Readonly<Record<string, unknown>>,
  ): CallToolResult | null {
    try {
      const reason = check.reasonAgainst(toolName, schema, given)
      return reason === null ? null : errorResult('CF13003', { tool: toolName, reason })
    } catch (error) {
      onTrouble(error)
      return failureResult(asFailure(error, { name: toolName }))
    }
  }

  function record(
    call: DispatchedCall,
    endpoint: string,
    tool: Tool | null,
    startedMs: number,
    outcome: { readonly statusCode: number; readonly errorCode: string | null },
  ): void {
    const { session } = call.instance
    usage.record({
      userId: session.userId,
      serviceType: session.serviceType,
      instanceId: session.instanceId,
      endpoint,
      method: tool?.call.method ?? 'POST',
      statusCode: outcome.statusCode,
      responseTimeMs: performance.now() - startedMs,
      errorCode: outcome.errorCode,
      atMs: Date.now(),
    })
  }
}

function unknownTool(view: ToolView, name: string): ProtocolError {
  const { message, data } = told(unknownToolFailure(view, name))
  return new ProtocolError(INVALID_PARAMS, message, data)
}

function unknownToolFailure(view: ToolView, name: string): Failure {
  // A name that no tool can have may hold anything, instructions to a model among it: it is not repeated.
  const isName = /^[A-Za-z0-9_.-]{1,64}$/.test(name)
  const near = isName ? nearTools(view, name) : []
  return fail('CF13002', {
    tool: isName ? name : 'of that name',
    near: near.length === 0 ? 'one of those that are listed' : near.join(', '),
  })
}

function errorResult(code: ErrorCode, details: Details): CallToolResult {
  return failureResult(fail(code, details))
}

/** A failure as a tool's result: one sentence, what to do, the code. */
export function failureResult(failure: Failure): CallToolResult {
  return {
    content: [{ type: 'text', text: `${failure.message} ${failure.remedy} (${failure.code})` }],
    isError: true,
    _meta: { [errorCodeMetaKey]: failure.code },
  }
}

const errorCodeMetaKey = 'dev.crossfade/code'

function codeIn(result: CallToolResult): string | null {
  const code = result._meta?.[errorCodeMetaKey]
  return typeof code === 'string' ? code : null
}

function asFailure(error: unknown, tool: { readonly name: string }): Failure {
  return error instanceof Failure ? error : fail('CF13010', { tool: tool.name }, error)
}
