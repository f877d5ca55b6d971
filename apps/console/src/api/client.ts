import type { Problem } from './contract.ts'

const tokenKey = 'crossfade.token'

/** The token lives as long as the browser's tab: a console on a shared screen forgets it. */
export function storedToken(): string | null {
  return sessionStorage.getItem(tokenKey)
}

/** Keeps the token for this tab alone; null forgets it. */
export function storeToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(tokenKey)
  else sessionStorage.setItem(tokenKey, token)
}

/** What the server refused or could not do, with its code and remedy. */
export class ApiError extends Error {
  readonly problem: Problem
  readonly status: number

  constructor(status: number, problem: Problem) {
    super(problem.message)
    this.status = status
    this.problem = problem
  }
}

/** Told to the window when the server asks for a token, or does not know this one any more. */
export const refusedEvent = 'crossfade:refused'

/** What is said of a server that does not answer. */
export const unreachable: Problem = {
  code: 'OFFLINE',
  message: 'The server does not answer.',
  remedy: 'Check that it is running; this page goes on by itself once it is back.',
  retry: true,
}

/** Calls the API. Rejects with an `ApiError`, whatever went wrong. */
export async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await send(path, init)
  return (await response.json()) as T
}

/** Sends a command; the key makes a repeated click the same request. */
export function command<T>(path: string, body?: unknown, method: 'POST' | 'PUT' = 'POST'): Promise<T> {
  return call<T>(path, {
    method,
    headers: {
      'idempotency-key': crypto.randomUUID(),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

/** Sends a request to the API. Throws an ApiError for whatever the server refuses, and when it cannot be reached. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const token = storedToken()
  let response: Response
  try {
    response = await fetch(`/api/v1${path}`, {
      ...init,
      headers: { ...(init.headers as Record<string, string>), ...(token ? { authorization: `Bearer ${token}` } : {}) },
    })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ApiError(0, unreachable)
  }
  if (response.ok) return response
  const problem = (await response.json().catch(() => unreachable)) as Problem
  if (response.status === 401) dispatchEvent(new Event(refusedEvent))
  throw new ApiError(response.status, problem)
}
