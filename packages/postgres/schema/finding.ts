import { type ErrorCode, errorDefinitions } from '@crossfade/model/error-codes.ts'
import { type Details, sentence } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'

/** A finding in the words of its code; `remedy` replaces the general one where there is something more exact to say. */
export function finding(
  code: ErrorCode,
  severity: Finding['severity'],
  subject: string,
  details: Details,
  remedy?: string,
): Finding {
  return { code, severity, subject, message: sentence(code, details), remedy: remedy ?? errorDefinitions[code].remedy }
}
