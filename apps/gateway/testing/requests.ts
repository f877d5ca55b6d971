/** Calls `get_order` of the test upstream as an MCP client of revision 2025-11-25 does; gives the HTTP status, or 500 when the tool said that it failed. */
export async function callOrder(url: string, token: string, id = 'A-1'): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'get_order', arguments: { id } },
    }),
  })
  const text = await response.text()
  return response.status === 200 && text.includes('"isError":true') ? 500 : response.status
}

const waitMsMax = 30_000
const lookMs = 50

/** Waits until `holds`; rejects after half a minute. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + waitMsMax
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not so within ${waitMsMax / 1_000} s: ${holds.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, lookMs))
  }
}
