// Tools that log, tell of progress, or ask before they answer. Questions are put once, as `input_required`; for clients of earlier revisions the SDK puts them as requests of the server.
import { setTimeout as wait } from 'node:timers/promises'
import {
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  MissingRequiredClientCapabilityError,
} from '@modelcontextprotocol/server'
import type { TalkContext } from '../runtime/built-in.ts'
import { choices, defaults } from './questions.ts'

/** Between two messages of a tool that sends several: long enough that clients see them one by one. */
const stepMs = 50

type Answer = Promise<CallToolResult | InputRequiredResult> | CallToolResult | InputRequiredResult

export interface StateCodec {
  mint(payload: Readonly<Record<string, unknown>>, talk: TalkContext): Promise<string>
  /** The payload of the state that came back, verified; undefined on the first round. */
  payload(talk: TalkContext): Readonly<Record<string, unknown>> | undefined
}

/** Carries out a talking tool by name. Rejects with a ProtocolError where the protocol has one. */
export function callTalkingTool(
  name: string,
  given: Readonly<Record<string, unknown>>,
  talk: TalkContext,
  state: StateCodec,
): Answer | undefined {
  return tools[name]?.(talk, given, state)
}

const tools: Readonly<
  Record<string, (talk: TalkContext, given: Readonly<Record<string, unknown>>, state: StateCodec) => Answer>
> = {
  async test_tool_with_logging({ context }) {
    await context.mcpReq.log('info', 'Tool execution started')
    await wait(stepMs)
    await context.mcpReq.log('info', 'Tool processing data')
    await wait(stepMs)
    await context.mcpReq.log('info', 'Tool execution completed')
    return text('Tool with logging executed successfully')
  },
  async test_logging_tool({ context }) {
    await context.mcpReq.log('info', 'Log message for testing')
    return text('Logging tool executed successfully')
  },
  async test_tool_with_progress({ context }) {
    const progressToken = context.mcpReq._meta?.progressToken
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        await context.mcpReq.notify({
          method: 'notifications/progress',
          params: { progressToken, progress, total: 100, message: `Completed step ${progress} of 100` },
        })
      }
      if (progress < 100) await wait(stepMs)
    }
    return text('Tool with progress executed successfully')
  },
  test_sampling({ context }, given) {
    const response = inputResponse(context.mcpReq.inputResponses, 'answer')
    if (response.kind === 'sampling') return text(`LLM response: ${samplingText(response.result)}`)
    return ask({ answer: sampling(String(given['prompt']), 100) })
  },
  test_elicitation({ context }, given) {
    return asked(context.mcpReq.inputResponses, 'User response', String(given['message']), {
      type: 'object',
      properties: {
        username: { type: 'string', description: "User's response" },
        email: { type: 'string', description: "User's email address" },
      },
      required: ['username', 'email'],
    })
  },
  test_elicitation_sep1034_defaults({ context }) {
    return asked(context.mcpReq.inputResponses, 'Elicitation completed', 'Please look through these values', defaults)
  },
  test_elicitation_sep1330_enums({ context }) {
    return asked(context.mcpReq.inputResponses, 'Elicitation completed', 'Please choose', choices)
  },
  async test_streaming_elicitation({ context }) {
    await context.mcpReq.log('info', 'About to ask')
    return asked(context.mcpReq.inputResponses, 'User response', 'What is your name?', nameSchema)
  },
  async test_reconnection({ context }) {
    context.http?.closeSSE?.()
    await wait(2 * stepMs)
    return text('Reconnection test completed successfully')
  },
  test_missing_capability(talk) {
    if (capabilitiesOf(talk).sampling === undefined) {
      throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } })
    }
    return text('The client can sample')
  },
  test_trigger_tool_change({ changes }) {
    changes.toolsChanged()
    return text('Told that tools have changed')
  },
  test_trigger_prompt_change({ changes }) {
    changes.promptsChanged()
    return text('Told that prompts have changed')
  },
  test_input_required_result_elicitation({ context }) {
    const response = inputResponse(context.mcpReq.inputResponses, 'user_name')
    const name = response.kind === 'elicit' ? response.content?.['name'] : undefined
    return typeof name === 'string'
      ? text(`Hello, ${name}!`)
      : ask({ user_name: elicitation(nameQuestion, nameSchema) })
  },
  test_input_required_result_sampling({ context }) {
    const response = inputResponse(context.mcpReq.inputResponses, 'capital_question')
    if (response.kind === 'sampling') return text(samplingText(response.result))
    return ask({ capital_question: sampling('What is the capital of France?', 100) })
  },
  test_input_required_result_list_roots({ context }) {
    const response = inputResponse(context.mcpReq.inputResponses, 'client_roots')
    if (response.kind === 'roots') return text(`Roots: ${response.roots.map((root) => root.uri).join(', ')}`)
    return ask({ client_roots: inputRequired.listRoots() })
  },
  async test_input_required_result_request_state(talk, _, state) {
    const response = inputResponse(talk.context.mcpReq.inputResponses, 'confirm')
    if (response.kind === 'elicit' && state.payload(talk)?.['step'] === 'confirm') return text('state-ok')
    return ask({ confirm: elicitation('Please confirm', confirmSchema) }, await state.mint({ step: 'confirm' }, talk))
  },
  async test_input_required_result_multiple_inputs(talk, _, state) {
    const responses = talk.context.mcpReq.inputResponses
    const name = inputResponse(responses, 'user_name')
    const greeting = inputResponse(responses, 'greeting')
    const roots = inputResponse(responses, 'client_roots')
    if (name.kind === 'elicit' && greeting.kind === 'sampling' && roots.kind === 'roots') {
      const rootCount = roots.roots.length
      return text(`${samplingText(greeting.result)} ${String(name.content?.['name'])}, with ${rootCount} roots`)
    }
    return ask(
      {
        user_name: elicitation(nameQuestion, nameSchema),
        greeting: sampling('Generate a greeting', 50),
        client_roots: inputRequired.listRoots(),
      },
      await state.mint({ step: 'all' }, talk),
    )
  },
  async test_input_required_result_multi_round(talk, _, state) {
    const responses = talk.context.mcpReq.inputResponses
    const payload = state.payload(talk)
    const colour = inputResponse(responses, 'step2')
    if (payload?.['step'] === 2 && colour.kind === 'elicit') {
      return text(`${String(payload['name'])} likes ${String(colour.content?.['color'])}`)
    }
    const name = inputResponse(responses, 'step1')
    if (payload?.['step'] === 1 && name.kind === 'elicit') {
      const next = await state.mint({ step: 2, name: String(name.content?.['name']) }, talk)
      return ask({ step2: elicitation('Step 2: What is your favorite color?', colourSchema) }, next)
    }
    const first = await state.mint({ step: 1 }, talk)
    return ask({ step1: elicitation('Step 1: What is your name?', nameSchema) }, first)
  },
  async test_input_required_result_tampered_state(talk, _, state) {
    const response = inputResponse(talk.context.mcpReq.inputResponses, 'confirm')
    if (response.kind === 'elicit' && state.payload(talk)?.['step'] === 'tamper') return text('state-ok')
    return ask({ confirm: elicitation('Please confirm', confirmSchema) }, await state.mint({ step: 'tamper' }, talk))
  },
  async test_input_required_result_capabilities(talk, _, state) {
    const can = capabilitiesOf(talk)
    const requests: InputRequests = {
      ...(can.elicitation === undefined ? {} : { user_name: elicitation(nameQuestion, nameSchema) }),
      ...(can.sampling === undefined ? {} : { greeting: sampling('Generate a greeting', 50) }),
      ...(can.roots === undefined ? {} : { client_roots: inputRequired.listRoots() }),
    }
    const isAnswered = talk.context.mcpReq.inputResponses !== undefined
    if (isAnswered || Object.keys(requests).length === 0) return text('Nothing is left to ask')
    return ask(requests, await state.mint({ step: 'capabilities' }, talk))
  },
}

const nameQuestion = 'What is your name?'
const nameSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } as const
const colourSchema = { type: 'object', properties: { color: { type: 'string' } }, required: ['color'] } as const
const confirmSchema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] } as const

type RequestedSchema = Parameters<typeof inputRequired.elicit>[0]['requestedSchema']

function asked(
  responses: Parameters<typeof inputResponse>[0],
  prefix: string,
  message: string,
  schema: unknown,
): CallToolResult | InputRequiredResult {
  const response = inputResponse(responses, 'asked')
  if (response.kind !== 'elicit') return ask({ asked: elicitation(message, schema) })
  return text(`${prefix}: action=${response.action}, content=${JSON.stringify(response.content ?? {})}`)
}

function ask(inputRequests: InputRequests, requestState?: string): InputRequiredResult {
  return inputRequired({ inputRequests, ...(requestState === undefined ? {} : { requestState }) })
}

function elicitation(message: string, requestedSchema: unknown): ReturnType<typeof inputRequired.elicit> {
  return inputRequired.elicit({ message, requestedSchema: requestedSchema as RequestedSchema })
}

function sampling(prompt: string, maxTokens: number): ReturnType<typeof inputRequired.createMessage> {
  return inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
    maxTokens,
  })
}

function samplingText(result: { readonly content: unknown }): string {
  const parts = [result.content].flat() as readonly { readonly type?: string; readonly text?: string }[]
  return parts.map((part) => (part.type === 'text' ? (part.text ?? '') : '')).join('')
}

function capabilitiesOf({ context, server }: TalkContext): ClientCapabilities {
  const envelope = context.mcpReq.envelope as Readonly<Record<string, unknown>> | undefined
  const declared = envelope?.[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined
  return declared ?? server.server.getClientCapabilities() ?? {}
}

function text(text: string): CallToolResult {
  return { content: [{ type: 'text', text }] }
}
