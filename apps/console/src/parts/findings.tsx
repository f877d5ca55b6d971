import type { Finding } from '../api/contract.ts'
import { Badge } from './basics.tsx'

const tone = { block: 'bad', warn: 'warn', note: 'idle' } as const

/** What was found in the databases, each with its remedy; what blocks comes first. */
export function Findings({ findings }: { findings: readonly Finding[] }) {
  const order = Object.keys(tone)
  return (
    <ul className="findings">
      {findings
        .toSorted((one, other) => order.indexOf(one.severity) - order.indexOf(other.severity))
        .map((finding) => (
          <li key={`${finding.code} ${finding.subject}`}>
            <Badge tone={tone[finding.severity]}>{finding.code}</Badge>
            <div>
              <div>
                <strong>{finding.subject}</strong> {finding.message}
              </div>
              <div className="muted">→ {finding.remedy}</div>
            </div>
          </li>
        ))}
    </ul>
  )
}
