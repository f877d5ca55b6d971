import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { type Details, remedy, sentence } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'

/** A finding whose message and remedy are those of its code, with the details filled in. */
export function catalogFinding(
  code: ErrorCode,
  severity: Finding['severity'],
  subject: string,
  details: Details,
): Finding {
  return { code, severity, subject, message: sentence(code, details), remedy: remedy(code, details) }
}
