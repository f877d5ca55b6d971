import type { VerifyKey } from '@crossfade/mcp/instances/verify-once.ts'
import type { UpstreamClient } from '@crossfade/mcp/upstream/upstream-client.ts'
import { verificationMsMax, verifyKey } from '@crossfade/mcp/upstream/verify-key.ts'
import { Failure } from '@crossfade/model/failure.ts'

/** Asks upstreams whether keys are right, through the guarded client. Never rejects for what an upstream does; an address that can't be made of the settings is no verdict. */
export function askUpstream(client: UpstreamClient): VerifyKey {
  return async ({ config }, credential, variables) => {
    if (config.verification === null) return { kind: 'unverifiable' }
    try {
      const verdict = await verifyKey(client, config, variables, credential, AbortSignal.timeout(verificationMsMax))
      if (verdict.kind === 'valid') return { kind: 'valid', accountLabel: verdict.account }
      if (verdict.kind === 'invalid') return { kind: 'invalid' }
      return { kind: 'unreachable', reason: verdict.reason }
    } catch (error) {
      if (error instanceof Failure) throw error
      return { kind: 'unreachable', reason: `no answer within ${verificationMsMax / 1_000} s` }
    }
  }
}
