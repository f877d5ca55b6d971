import { ApiError, send } from '../api/client.ts'
import type { Problem } from '../api/contract.ts'

/** Changes something by the API. Gives what it answered, undefined for an empty answer. Rejects with an `ApiError`. */
export async function write<T = undefined>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) {
  const response = await send(path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } satisfies HeadersInit }),
  })
  return (response.status === 204 ? undefined : await response.json()) as T
}

/** Asks the accounts' endpoints, which speak of their troubles by codes of their own. Rejects with an `ApiError` in words. */
export async function account<T = unknown>(path: string, body?: unknown): Promise<T> {
  let response: Response
  try {
    response = await fetch(`/api/v1/auth${path}`, {
      ...(body === undefined
        ? {}
        : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  } catch {
    throw new ApiError(0, troubleOf('OFFLINE', 0))
  }
  const answer = (await response.json().catch(() => null)) as { code?: string } | null
  if (!response.ok) throw new ApiError(response.status, troubleOf(answer?.code ?? '', response.status))
  return answer as T
}

const troubles: Readonly<Record<string, readonly [message: string, remedy: string]>> = {
  INVALID_EMAIL_OR_PASSWORD: ['E-mail address or password is wrong.', 'Check both, or make an account.'],
  INVALID_EMAIL: ['This is no e-mail address.', 'It looks like ann@example.com.'],
  INVALID_PASSWORD: ['The current password is wrong.', 'Type it again.'],
  PASSWORD_TOO_SHORT: [
    'The password is too short.',
    'Take at least 10 characters; a sentence is easy to keep in mind.',
  ],
  PASSWORD_TOO_LONG: ['The password is too long.', 'Take at most 128 characters.'],
  USER_ALREADY_EXISTS: ['There is an account with this address.', 'Sign in instead.'],
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: ['There is an account with this address.', 'Sign in instead.'],
  EMAIL_NOT_VERIFIED: ['The address is not confirmed yet.', 'Open the link in the mail that was sent to it.'],
  EMAIL_PASSWORD_SIGN_UP_DISABLED: ['New accounts can’t be made here.', 'Ask the administrator for one.'],
  CREDENTIAL_ACCOUNT_NOT_FOUND: ['This account has no password.', 'Sign in by a link of the command line.'],
  OFFLINE: ['The server does not answer.', 'Try again in a moment.'],
}

function troubleOf(code: string, status: number): Problem {
  if (status === 429) return problem('TOO_MANY', 'Too many attempts from here.', 'Wait a minute and try again.', true)
  const known = troubles[code]
  if (known) return problem(code, known[0], known[1], status === 0)
  if (status === 401) return problem('SIGNED_OUT', 'Nobody is signed in.', 'Sign in again.')
  if (status >= 500) return problem('UNAVAILABLE', 'Accounts are not available now.', 'Try again soon.', true)
  return problem(code || `HTTP_${status}`, 'This was refused.', 'Check what you filled in.')
}

function problem(code: string, message: string, remedy: string, retry = false): Problem {
  return { code, message, remedy, retry }
}
