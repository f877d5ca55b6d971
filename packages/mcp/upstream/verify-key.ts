// Asks an upstream whether a credential is right, before it is stored.
import type { HttpCall } from '@crossfade/catalog/catalog.ts'
import type { KeyVerification, ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { Credential } from '../instances/session.ts'
import { compileRequest } from './build-request.ts'
import { redact, upstreamMessage } from './failure-result.ts'
import { secretsOf } from './place-credential.ts'
import type { Sent, UpstreamClient } from './upstream-client.ts'

/** From the question to the answer. */
export const verificationMsMax = 15_000
/** Of an account's name. */
const accountCharactersMax = 200

export type KeyVerdict =
  /** The upstream took it. `account`: whose it is, where the upstream says so. */
  | { readonly kind: 'valid'; readonly account: string | null }
  /** The upstream refused it, in its own words. */
  | { readonly kind: 'invalid'; readonly reason: string }
  /** Nobody knows: the upstream is down, slow, or has nothing that would tell. */
  | { readonly kind: 'unknown'; readonly reason: string }

/**
 * One request to the upstream, as `config.verification` describes it, with the credential in its place. Stores nothing; may be repeated.
 * Throws CF13301 or CF13303 when the address can't be made of the settings; rejects with the signal's reason when aborted.
 */
export async function verifyKey(
  client: UpstreamClient,
  config: ServiceConfig,
  variables: Readonly<Record<string, string>>,
  credential: Credential,
  signal: AbortSignal,
): Promise<KeyVerdict> {
  const { verification } = config
  if (verification === null) {
    return { kind: 'unknown', reason: `${config.displayName} has nothing that tells a right key from a wrong one` }
  }
  const sent = await ask(client, config, verification, variables, credential, signal)
  if (sent.kind === 'invalid') return sent
  return verdictOn(sent, config, verification, credential)
}

async function ask(
  client: UpstreamClient,
  config: ServiceConfig,
  verification: KeyVerification,
  variables: Readonly<Record<string, string>>,
  credential: Credential,
  signal: AbortSignal,
): Promise<Sent | { readonly kind: 'invalid'; readonly reason: string }> {
  try {
    const request = compileRequest(verificationCall(verification), config, 'verification').build(
      {},
      variables,
      credential,
    )
    const owner = { serviceType: config.serviceType, instanceId: 'verification' }
    return await client.send(request, owner, Math.min(client.deadline(), performance.now() + verificationMsMax), signal)
  } catch (error) {
    if (error instanceof Failure && error.code === 'CF13302') return { kind: 'invalid', reason: error.message }
    throw error
  }
}

/** The verification as an operation without arguments. */
export function verificationCall({ method, path, baseUrl, body }: KeyVerification): HttpCall {
  const fixed = {
    kind: 'members',
    contentType: 'application/json',
    encoding: 'json',
    members: [],
    required: true,
  } as const
  return {
    method,
    path,
    ...(baseUrl === undefined ? {} : { baseUrl }),
    parameters: [],
    body: body === undefined ? null : { ...fixed, fixed: body },
  }
}

function verdictOn(
  sent: Sent,
  config: ServiceConfig,
  { validStatuses, invalidStatuses, truePointer, account }: KeyVerification,
  credential: Credential,
): KeyVerdict {
  if (sent.kind === 'failed') return { kind: 'unknown', reason: sent.failure.message }
  const { status, headers, body } = sent
  const said = upstreamMessage(headers, body, secretsOf(credential))
  if (validStatuses.includes(status)) {
    const answer = parsed(body)
    if (truePointer !== undefined && at(answer, truePointer) !== true) {
      return { kind: 'invalid', reason: refusal(config, status, credential, answer) ?? said }
    }
    const name = account === undefined ? undefined : at(answer, account)
    const isName = typeof name === 'string' || typeof name === 'number'
    return {
      kind: 'valid',
      account: isName ? redact(String(name), secretsOf(credential)).slice(0, accountCharactersMax) : null,
    }
  }
  if (invalidStatuses.includes(status)) {
    const { message } = fail('CF13331', { service: config.displayName, status, reason: said || 'it said nothing more' })
    return { kind: 'invalid', reason: message }
  }
  return { kind: 'unknown', reason: `${config.displayName} answered ${status}: ${said || 'nothing more'}` }
}

/** What an upstream that answers 200 to everything says of its refusal: its `error`. */
function refusal(config: ServiceConfig, status: number, credential: Credential, answer: unknown): string | null {
  const error = at(answer, '/error')
  if (typeof error !== 'string') return null
  return fail('CF13331', { service: config.displayName, status, reason: redact(error, secretsOf(credential)) }).message
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

/** What a JSON pointer (RFC 6901) points at; undefined when there is nothing. */
export function at(value: unknown, pointer: string): unknown {
  if (pointer === '') return value
  let current = value
  for (const token of pointer.slice(1).split('/')) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) return undefined
    current = (current as Record<string, unknown>)[name]
  }
  return current
}
