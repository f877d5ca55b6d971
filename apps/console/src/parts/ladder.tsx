import type { Evidence, MigrationDetail } from '../api/contract.ts'
import { duration, moment, stageMeaning } from '../words.ts'
import { Badge } from './basics.tsx'

/** The six rungs, where the migration stands, and the evidence in front of each. */
export function Ladder({ migration }: { migration: MigrationDetail }) {
  const desired = migration.desiredStage
  return (
    <ol className="ladder">
      {migration.ladder.map((rung) => (
        <li
          key={rung.stage}
          className={`rung rung-${rung.state}`}
          aria-current={rung.state === 'current' ? 'step' : undefined}
        >
          <div className="rung-line">
            <span className="rung-mark" />
          </div>
          <div className="rung-name">
            {rung.stage}
            {rung.stage === desired && rung.state !== 'current' && (
              <Badge tone="accent" dot={false}>
                asked for
              </Badge>
            )}
          </div>
          <div className="rung-meaning">{stageMeaning[rung.stage]}</div>
          {rung.enteredAt !== null && (rung.state === 'done' || rung.state === 'current') && (
            <div className="rung-time">since {moment(rung.enteredAt)}</div>
          )}
          {rung.gates.length > 0 && rung.state !== 'done' && (
            <ul className="gates">
              {rung.gates.map((gate) => (
                <Gate key={gate.gate} evidence={gate} />
              ))}
            </ul>
          )}
        </li>
      ))}
    </ol>
  )
}

const verdictTone = { pass: 'good', fail: 'bad', unknown: 'idle' } as const

export function Gate({ evidence }: { evidence: Evidence }) {
  const soaking =
    evidence.verdict === 'pass' && evidence.passingSince !== null && evidence.soakMs > 0
      ? Math.max(0, evidence.soakMs - (Date.now() - Date.parse(evidence.passingSince)))
      : 0
  const tone = soaking > 0 ? 'warn' : verdictTone[evidence.verdict]
  return (
    <li className="gate" title={evidence.detail}>
      <Badge tone={tone}>{evidence.gate}</Badge>
      <span className="gate-detail">
        {evidence.detail}
        {soaking > 0 && `, must hold ${duration(soaking / 1000)} longer`}
      </span>
    </li>
  )
}
