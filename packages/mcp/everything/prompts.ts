import {
  type GetPromptResult,
  INVALID_PARAMS,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type McpServer,
  type PromptMessage,
  ProtocolError,
} from '@modelcontextprotocol/server'
import { redPixelPng } from './samples.ts'

const prompts = [
  { name: 'test_simple_prompt', description: 'A prompt without arguments' },
  {
    name: 'test_prompt_with_arguments',
    description: 'A prompt with required arguments',
    arguments: [
      { name: 'arg1', description: 'First test argument', required: true },
      { name: 'arg2', description: 'Second test argument', required: true },
    ],
  },
  {
    name: 'test_prompt_with_embedded_resource',
    description: 'A prompt with a resource inside',
    arguments: [{ name: 'resourceUri', description: 'URI of the resource to embed', required: true }],
  },
  { name: 'test_prompt_with_image', description: 'A prompt with an image inside' },
  { name: 'test_input_required_result_prompt', description: 'A prompt that asks for its context first' },
]

/** What is offered to complete arguments with. */
const completions = ['paris', 'park', 'party']

/** Adds the prompts of the built-in service, and the completion of their arguments. */
export function addPrompts(server: McpServer): void {
  server.server.setRequestHandler('prompts/list', () => ({ prompts }))
  server.server.setRequestHandler('prompts/get', (request, context) =>
    prompt(request.params.name, request.params.arguments ?? {}, context.mcpReq.inputResponses),
  )
  server.server.setRequestHandler('completion/complete', (request) => {
    const values = completions.filter((value) => value.startsWith(request.params.argument.value))
    return { completion: { values, total: values.length, hasMore: false } }
  })
}

function prompt(
  name: string,
  given: Readonly<Record<string, string>>,
  responses: Parameters<typeof inputResponse>[0],
): GetPromptResult | InputRequiredResult {
  switch (name) {
    case 'test_simple_prompt':
      return { messages: [userText('This is a simple prompt for testing.')] }
    case 'test_prompt_with_arguments': {
      const [first, second] = [wanted(given, 'arg1'), wanted(given, 'arg2')]
      return { messages: [userText(`Prompt with arguments: arg1='${first}', arg2='${second}'`)] }
    }
    case 'test_prompt_with_embedded_resource': {
      const uri = wanted(given, 'resourceUri')
      const resource = { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' }
      return {
        messages: [
          { role: 'user', content: { type: 'resource', resource } },
          userText('Please process the embedded resource above.'),
        ],
      }
    }
    case 'test_prompt_with_image':
      return {
        messages: [
          { role: 'user', content: { type: 'image', data: redPixelPng, mimeType: 'image/png' } },
          userText('Please analyze the image above.'),
        ],
      }
    case 'test_input_required_result_prompt': {
      const response = inputResponse(responses, 'user_context')
      if (response.kind === 'elicit') {
        return { messages: [userText(`Context: ${String(response.content?.['context'])}`)] }
      }
      return inputRequired({
        inputRequests: {
          user_context: inputRequired.elicit({
            message: 'What context should the prompt use?',
            requestedSchema: { type: 'object', properties: { context: { type: 'string' } }, required: ['context'] },
          }),
        },
      })
    }
    default:
      throw new ProtocolError(INVALID_PARAMS, 'There is no prompt of that name here. `prompts/list` names them.')
  }
}

function wanted(given: Readonly<Record<string, string>>, name: string): string {
  const value = given[name]
  if (value === undefined) throw new ProtocolError(INVALID_PARAMS, `The argument \`${name}\` is missing.`)
  return value
}

function userText(text: string): PromptMessage {
  return { role: 'user', content: { type: 'text', text } }
}
