import type { UpstreamClient } from '../upstream/upstream-client.ts'
import { verifyKey } from '../upstream/verify-key.ts'
import type { VerifyKey } from './verify-once.ts'

/** Asks the upstream itself, through the guarded client. */
export function verifyWithUpstream(client: UpstreamClient): VerifyKey {
  return async ({ config }, credential, variables) => {
    if (config.verification === null || credential.kind === 'none') return { kind: 'unverifiable' }
    const verdict = await verifyKey(client, config, variables, credential, new AbortController().signal)
    switch (verdict.kind) {
      case 'valid':
        return { kind: 'valid', accountLabel: verdict.account }
      case 'invalid':
        return { kind: 'invalid' }
      case 'unknown':
        return { kind: 'unreachable', reason: verdict.reason }
    }
  }
}
