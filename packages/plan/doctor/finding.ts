import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { type Details, type Failure, remedy, sentence } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'

/** A finding whose sentence and remedy come from its code. */
export function finding(
  code: ErrorCode,
  severity: Finding['severity'],
  subject: string,
  details: Details = {},
): Finding {
  return { code, severity, subject, message: sentence(code, details), remedy: remedy(code, details) }
}

/** A failure of the planner or of a connection, told beside the other findings. */
export function asFinding(failure: Failure, severity: Finding['severity']): Finding {
  const { code, details, message, remedy } = failure
  const subject = details['place'] ?? details['shard'] ?? details['table'] ?? details['side'] ?? 'plan'
  return { code, severity, subject: String(subject), message, remedy }
}
