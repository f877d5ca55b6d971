import type { InstanceSession } from '@crossfade/mcp/instances/session.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { ApiOptions } from '../api-parts.ts'

/** Runs `work` as a call of the instance, under the limits of its user and service. Rejects with CF12037 when there were too many. */
export async function admitted<T>(
  { limits }: Pick<ApiOptions, 'limits'>,
  session: InstanceSession,
  work: () => Promise<T> | T,
): Promise<T> {
  const admission = limits.admit(session)
  if (!admission.admitted)
    throw fail('CF12037', { reason: admission.reason, seconds: Math.ceil(admission.retryAfterMs / 1000) })
  try {
    return await work()
  } finally {
    limits.ended(session)
  }
}
