import { INVALID_PARAMS, type McpServer, ProtocolError, type ReadResourceResult } from '@modelcontextprotocol/server'
import type { Era } from '../runtime/recognise.ts'
import { redPixelPng } from './samples.ts'

const resources = [
  {
    uri: 'test://static-text',
    name: 'Static Text Resource',
    description: 'A static text resource for testing',
    mimeType: 'text/plain',
  },
  {
    uri: 'test://static-binary',
    name: 'Static Binary Resource',
    description: 'A static binary resource (image) for testing',
    mimeType: 'image/png',
  },
  {
    uri: 'test://watched-resource',
    name: 'Watched Resource',
    description: 'A resource that can be subscribed to',
    mimeType: 'text/plain',
  },
]

const templates = [
  {
    uriTemplate: 'test://template/{id}/data',
    name: 'Resource Template',
    description: 'A resource template with parameter substitution',
    mimeType: 'application/json',
  },
]

/** Adds what the built-in service has to read. */
export function addResources(server: McpServer, era: Era): void {
  server.server.setRequestHandler('resources/list', () => ({ resources }))
  server.server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: templates }))
  server.server.setRequestHandler('resources/read', (request) => read(request.params.uri))
  if (era === 'legacy') {
    // Nothing here changes by itself, so nothing is ever told; the subscription is taken all the same.
    server.server.setRequestHandler('resources/subscribe', () => ({}))
    server.server.setRequestHandler('resources/unsubscribe', () => ({}))
  }
}

function read(uri: string): ReadResourceResult {
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1]
  if (id !== undefined) {
    const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
    return { contents: [{ uri, mimeType: 'application/json', text }] }
  }
  switch (uri) {
    case 'test://static-text':
      return { contents: [{ uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }] }
    case 'test://static-binary':
      return { contents: [{ uri, mimeType: 'image/png', blob: redPixelPng }] }
    case 'test://watched-resource':
      return { contents: [{ uri, mimeType: 'text/plain', text: 'Watched resource content' }] }
    default:
      throw new ProtocolError(INVALID_PARAMS, 'Resource not found', { uri })
  }
}
