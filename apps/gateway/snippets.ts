// What a person pastes into a client, ready to work. Formats as the clients' own documentation has them (2026).
import type { Snippet } from './contract/instances.ts'

/** Stands where the token goes when it is not known any more. */
export const tokenPlaceholder = 'cfi_YOUR_TOKEN'

export interface SnippetSubject {
  readonly serviceType: string
  /** What the client connects to. */
  readonly url: string
  /** Null: the URL opens by itself. */
  readonly token: string | null
}

/** One for each client; `claude-desktop` goes through the `mcp-remote` bridge, because its file knows only local programs. */
export function snippetsFor({ serviceType, url, token }: SnippetSubject): Snippet[] {
  const name = serviceType
  const authorization = token === null ? null : `Bearer ${token}`
  const headers = authorization === null ? {} : { headers: { Authorization: authorization } }
  const plain = new URL(url).protocol === 'http:'
  return [
    {
      client: 'claude-code',
      label: 'Claude Code',
      language: 'shell',
      file: null,
      text: `claude mcp add --transport http ${name} ${quoted(url)}${
        authorization === null ? '' : ` --header ${quoted(`Authorization: ${authorization}`)}`
      }`,
      note: 'For you in this project; add `--scope user` for all of them.',
    },
    {
      client: 'claude-desktop',
      label: 'Claude Desktop',
      language: 'json',
      file: 'claude_desktop_config.json',
      text: json({
        mcpServers: {
          [name]: {
            command: 'npx',
            args: [
              '-y',
              'mcp-remote',
              url,
              '--transport',
              'http-only',
              // Without a blank around the colon: on Windows it would end the argument.
              // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the bridge that fills it in
              ...(authorization === null ? [] : ['--header', 'Authorization:${CROSSFADE_AUTHORIZATION}']),
              ...(plain ? ['--allow-http'] : []),
            ],
            ...(authorization !== null && { env: { CROSSFADE_AUTHORIZATION: authorization } }),
          },
        },
      }),
      note: 'Settings → Developer → Edit Config, then restart it. Needs Node.js. Or add the address as a custom connector and sign in.',
    },
    {
      client: 'cursor',
      label: 'Cursor',
      language: 'json',
      file: '~/.cursor/mcp.json',
      text: json({ mcpServers: { [name]: { url, ...headers } } }),
      note: null,
    },
    {
      client: 'vscode',
      label: 'VS Code',
      language: 'json',
      file: 'mcp.json',
      text: json({ servers: { [name]: { type: 'http', url, ...headers } } }),
      note: 'Command “MCP: Open User Configuration”. In a workspace’s .vscode/mcp.json the token would be shared with it.',
    },
    {
      client: 'curl',
      label: 'curl',
      language: 'shell',
      file: null,
      text: [
        `curl -sS ${quoted(url)}`,
        ...(authorization === null ? [] : [`-H ${quoted(`Authorization: ${authorization}`)}`]),
        `-H 'Content-Type: application/json'`,
        `-H 'Accept: application/json, text/event-stream'`,
        `-d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`,
      ].join(' \\\n  '),
      note: null,
    },
  ]
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2)
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
