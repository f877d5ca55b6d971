// What a record says about who failed: read the same way by health checks, alerts and metrics, in TypeScript and in SQL.
import type { UsageRecord } from './usage.ts'

/** `upstream`: the service behind is in trouble. `refused`: a limit of ours or of the service. `error`: everything else that is no success. */
export type CallOutcome = 'ok' | 'upstream' | 'refused' | 'error'

/** Codes of calls that the upstream did not answer as it should: out of reach, silent, broken off, no HTTP, left alone, no MCP. PostgreSQL's regular expressions read it alike. */
export const upstreamTroublePattern = '^CF13(31[1-48]|340)$'
/** Codes that tell what an upstream answered: it was there. */
export const upstreamAnswerPattern = '^CF13(320|33[0-5]|342)$'

const upstreamTrouble = new RegExp(upstreamTroublePattern)
const limits: ReadonlySet<string> = new Set(['CF13008', 'CF13011', 'CF13319', 'CF13320', 'CF13321'])

export function callOutcome({ statusCode, errorCode }: Pick<UsageRecord, 'statusCode' | 'errorCode'>): CallOutcome {
  if (errorCode === null) return statusCode < 400 ? 'ok' : statusCode < 500 ? 'error' : 'upstream'
  if (limits.has(errorCode)) return 'refused'
  return statusCode >= 500 || upstreamTrouble.test(errorCode) ? 'upstream' : 'error'
}
