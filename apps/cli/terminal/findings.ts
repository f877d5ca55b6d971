import type { Finding } from '@crossfade/model/finding.ts'
import { colour } from './style.ts'

const marks: Record<Finding['severity'], string> = {
  block: colour.red('✗ blocks'),
  warn: colour.yellow('! warns '),
  note: colour.dim('· notes '),
}

/** Findings for people, each with its remedy, and the count at the end. */
export function findingsText(findings: readonly Finding[]): string {
  const lines = findings.map(
    (finding) =>
      `${marks[finding.severity]} ${finding.code} ${finding.message}\n           ${colour.dim('→')} ${finding.remedy}`,
  )
  return [...lines, ...(lines.length > 0 ? [''] : []), summary(findings)].join('\n')
}

function summary(findings: readonly Finding[]): string {
  const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length
  const [block, warn, note] = [count('block'), count('warn'), count('note')]
  const counts = `${block} blocking, ${warn} ${warn === 1 ? 'warning' : 'warnings'}, ${note} ${note === 1 ? 'note' : 'notes'}`
  return block > 0 ? colour.red(`Not ready: ${counts}`) : colour.green(`Ready: ${counts}`)
}
