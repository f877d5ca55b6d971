import { homePaths, readPrivateFile, readServerMark } from '@crossfade/gateway-app/home.ts'
import { errorDefinitions } from '@crossfade/model/error-codes.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { readSecretFile } from '../../terminal/read-secret-file.ts'
import { ServerProblem } from './server-problem.ts'

export interface ServerOptions {
  /** Address of the server; else CROSSFADE_MCP_URL, else the one that runs in this directory, else the default port of this machine. */
  readonly url?: string
  /** File with a personal token; else CROSSFADE_MCP_TOKEN, else the owner's token that the server of this directory has made. */
  readonly tokenFile?: string
}

export interface ApiClient {
  readonly url: string
  /** Rejects with CF14009 (nobody answers), CF14010 (no token) or a `ServerProblem`. */
  request<Answer>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Answer>
}

const defaultUrl = 'http://127.0.0.1:7070'
/** A key is checked at the upstream meanwhile, which may be slow. */
const requestMsMax = 60_000

/** The API of the server that the options name. Nothing is sent yet. */
export function openApi(options: ServerOptions): ApiClient {
  const home = homePaths()
  const url = (options.url ?? process.env['CROSSFADE_MCP_URL'] ?? readServerMark(home)?.url ?? defaultUrl).replace(
    /\/$/,
    '',
  )
  const token = tokenOf(options) ?? readPrivateFile(home.ownerTokenFile)
  return {
    url,
    async request<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
      if (token === null) throw fail('CF14010', { url })
      let response: Response
      try {
        response = await fetch(`${url}/api/v1${path}`, {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(requestMsMax),
        })
      } catch (error) {
        const cause = error instanceof Error && error.cause ? error.cause : error
        throw fail('CF14009', { url, reason: reasonOf(cause) }, error)
      }
      const text = await response.text()
      if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as Answer
      throw problemOf(text, response.status, url)
    },
  }
}

function tokenOf({ tokenFile }: ServerOptions): string | null {
  if (tokenFile !== undefined) return readSecretFile(tokenFile, 'token')
  return process.env['CROSSFADE_MCP_TOKEN'] ?? null
}

function problemOf(text: string, status: number, url: string): Error {
  try {
    const problem = JSON.parse(text) as { code: string; message: string; remedy: string; retry: boolean }
    if (problem.code in errorDefinitions) return new ServerProblem(problem, status)
  } catch {
    // Not ours: told below.
  }
  return fail('CF14009', { url, reason: `it answered with status ${status} and no word of Crossfade` })
}
