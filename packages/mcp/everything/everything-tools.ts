// The tools of the built-in service: one for each thing that a tool can do. Names and texts are those that the protocol's conformance suite asks for.
import type { JsonSchema, Tool } from '@crossfade/catalog/catalog.ts'
import { withDigest } from '@crossfade/catalog/tool-digest.ts'

const noArguments: JsonSchema = { type: 'object', properties: {} }

/** Answered at once, by the compiled path. */
export const plainTools: readonly Tool[] = [
  tool('test_simple_text', 'Answers with a text.'),
  tool('test_image_content', 'Answers with an image.'),
  tool('test_audio_content', 'Answers with a sound.'),
  tool('test_embedded_resource', 'Answers with a resource inside.'),
  tool('test_multiple_content_types', 'Answers with a text, an image and a resource.'),
  tool('test_error_handling', 'Fails always, so that clients can show how they tell.'),
  tool('json_schema_2020_12_tool', 'Has an input schema with much of what JSON Schema 2020-12 can say.', {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: {
      address: {
        $anchor: 'addressDef',
        type: 'object',
        properties: { street: { type: 'string' }, city: { type: 'string' } },
      },
    },
    properties: {
      name: { type: 'string' },
      address: { $ref: '#/$defs/address' },
      contactMethod: { type: 'string', enum: ['phone', 'email'] },
      phone: { type: 'string' },
      email: { type: 'string' },
    },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    then: { required: ['phone'] },
    else: { required: ['email'] },
    additionalProperties: false,
  }),
  tool('test_custom_headers', 'Has arguments that clients repeat as headers.', {
    type: 'object',
    properties: {
      region: { type: 'string', description: 'Repeated as Mcp-Param-Region', 'x-mcp-header': 'Region' },
      priority: { type: 'integer', description: 'Repeated as Mcp-Param-Priority', 'x-mcp-header': 'Priority' },
      query: { type: 'string', description: 'Not repeated' },
    },
    required: ['region'],
  }),
]

/** They talk with the client before they answer. */
export const talkingTools: readonly Tool[] = [
  tool('test_tool_with_logging', 'Logs three messages while it runs.'),
  tool('test_logging_tool', 'Logs one message, to clients that asked for it.'),
  tool('test_tool_with_progress', 'Tells of its progress in three steps.'),
  tool('test_sampling', 'Asks the client’s model.', {
    type: 'object',
    properties: { prompt: { type: 'string', description: 'What the model is asked' } },
    required: ['prompt'],
  }),
  tool('test_elicitation', 'Asks the person for a name and an address.', {
    type: 'object',
    properties: { message: { type: 'string', description: 'What the person is told' } },
    required: ['message'],
  }),
  tool('test_elicitation_sep1034_defaults', 'Asks the person with defaults for every kind of value.'),
  tool('test_elicitation_sep1330_enums', 'Asks the person to choose, in five ways.'),
  tool('test_streaming_elicitation', 'Asks the person while its answer is a stream.'),
  tool('test_reconnection', 'Closes its stream before it answers, so that clients come back for the rest.'),
  tool('test_missing_capability', 'Needs a client that can sample.'),
  tool('test_trigger_tool_change', 'Tells those who listen that tools have changed.'),
  tool('test_trigger_prompt_change', 'Tells those who listen that prompts have changed.'),
  tool('test_input_required_result_elicitation', 'Asks for a name, then greets.'),
  tool('test_input_required_result_sampling', 'Asks the client’s model for a capital.'),
  tool('test_input_required_result_list_roots', 'Asks for the client’s roots.'),
  tool('test_input_required_result_request_state', 'Asks for a confirmation and checks its own state.'),
  tool('test_input_required_result_multiple_inputs', 'Asks for three things at once.'),
  tool('test_input_required_result_multi_round', 'Asks for a name, then for a colour.'),
  tool('test_input_required_result_tampered_state', 'Refuses a state that is not its own.'),
  tool('test_input_required_result_capabilities', 'Asks only for what the client can do.'),
]

function tool(name: string, description: string, inputSchema: JsonSchema = noArguments): Tool {
  return withDigest({
    name,
    description,
    inputSchema,
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    call: { method: 'POST', path: `/${name}`, parameters: [], body: null },
  })
}
