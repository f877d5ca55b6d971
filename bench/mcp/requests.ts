// MCP requests of revision 2026-07-28, as its clients send them: one HTTP request each, everything in it.

const revision = '2026-07-28'
const meta = {
  'io.modelcontextprotocol/protocolVersion': revision,
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** Headers of a request; `name` is the tool of a call. */
export function mcpHeaders(method: string, name?: string, token?: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': revision,
    'mcp-method': method,
    ...(name === undefined ? {} : { 'mcp-name': name }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
}

/** The n-th `tools/list`. */
export function listBody(n: number): string {
  return JSON.stringify({ jsonrpc: '2.0', id: n, method: 'tools/list', params: { _meta: meta } })
}

/** The n-th `tools/call`: with an argument that no other has. */
export function callBody(n: number, tool: string): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id: n,
    method: 'tools/call',
    params: { name: tool, arguments: { id: `item-${n}` }, _meta: meta },
  })
}

/** Headers and bodies of revision 2025-11-25, for servers that know no newer one. */
export const earlier = {
  headers(token?: string): Record<string, string> {
    return {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    }
  },
  listBody: (n: number) => JSON.stringify({ jsonrpc: '2.0', id: n, method: 'tools/list', params: {} }),
  callBody: (n: number, tool: string) =>
    JSON.stringify({
      jsonrpc: '2.0',
      id: n,
      method: 'tools/call',
      params: { name: tool, arguments: { id: `item-${n}` } },
    }),
}
