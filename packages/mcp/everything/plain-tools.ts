import { fail } from '@crossfade/model/failure.ts'
import type { CallToolResult } from '@modelcontextprotocol/server'
import type { ToolCaller } from '../upstream/upstream.ts'
import { redPixelPng, silenceWav } from './samples.ts'

/** Carries out the plain tools. Knows no upstream and no credential. */
export const plainToolCaller: ToolCaller = {
  async call({ tool, arguments: given }) {
    const answer = answers[tool.name]
    if (answer === undefined) throw fail('CF9001', { reason: `${tool.name} is no plain tool` })
    const result = answer(given)
    return { result, statusCode: result.isError === true ? 500 : 200, errorCode: null }
  },
  async close() {},
}

const image = { type: 'image', data: redPixelPng, mimeType: 'image/png' } as const

const answers: Readonly<Record<string, (given: Readonly<Record<string, unknown>>) => CallToolResult>> = {
  test_simple_text: () => text('This is a simple text response for testing.'),
  test_image_content: () => ({ content: [image] }),
  test_audio_content: () => ({ content: [{ type: 'audio', data: silenceWav, mimeType: 'audio/wav' }] }),
  test_embedded_resource: () => ({
    content: [
      {
        type: 'resource',
        resource: {
          uri: 'test://embedded-resource',
          mimeType: 'text/plain',
          text: 'This is an embedded resource content.',
        },
      },
    ],
  }),
  test_multiple_content_types: () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      image,
      {
        type: 'resource',
        resource: {
          uri: 'test://mixed-content-resource',
          mimeType: 'application/json',
          text: JSON.stringify({ test: 'data', value: 123 }),
        },
      },
    ],
  }),
  test_error_handling: () => ({ ...text('This tool intentionally returns an error for testing'), isError: true }),
  json_schema_2020_12_tool: (given) => text(`Called with ${JSON.stringify(given)}`),
  test_custom_headers: (given) => text(`Called for ${JSON.stringify(given['region'])}`),
}

function text(text: string): CallToolResult {
  return { content: [{ type: 'text', text }] }
}
