// docs/reference/errors.md, from the definitions of the errors.
import { errorDefinitions } from '@crossfade/model/error-codes.ts'
import type { ErrorDefinition } from '@crossfade/model/error-definition.ts'
import type { GeneratedFile } from './generators.ts'

const codeRanges: Readonly<Record<string, string>> = {
  1: 'Plan and configuration',
  2: 'Your databases',
  3: 'Copying and following changes',
  4: 'Verification',
  5: 'Cutover, fences and the way back',
  6: 'Engine, leases and the control database',
  7: 'API, command line and client',
  8: 'Embedded PostgreSQL and this installation',
  10: 'The catalog of services',
  11: 'The vault and its keys',
  12: 'Instances, tokens and accounts',
  13: 'Tools and upstream services',
  14: 'The edge, workers and processes',
  9: 'Faults of Crossfade itself',
}

/** `1` of CF1001, `10` of CF10001: the last three digits count within a range. */
function rangeOf(code: string): string {
  return code.slice(2, -3)
}

/** A page with one section per code, in the order of the codes. */
export function errorReference(): GeneratedFile {
  const definitions = Object.entries(errorDefinitions as Record<string, ErrorDefinition>)
  const sections = Object.entries(codeRanges).flatMap(([range, title]) => {
    const members = definitions.filter(([code]) => rangeOf(code) === range).sort(([a], [b]) => a.localeCompare(b))
    return members.length === 0 ? [] : [`## ${title}\n\n${members.map(section).join('\n')}`]
  })
  const content = `${pageHead}\n${sections.join('\n')}`
  return { path: 'docs/reference/errors.md', content }
}

const pageHead = `# Errors

<!-- Generated from the codes in packages/model/error-codes.ts by \`npm run generate\`; do not edit. -->

Every failure and finding of Crossfade has a code. This page says what each means and what to do. Words in braces are
filled in when it happens. *Retry* says whether the same call may succeed later without anybody changing anything.
`

function section([code, definition]: [string, ErrorDefinition]): string {
  const retry = definition.retry ? 'may succeed later' : 'will not help'
  return `### ${code}\n\n${definition.sentence}\n\n- **Remedy:** ${definition.remedy}\n- **Retry:** ${retry}.\n`
}
