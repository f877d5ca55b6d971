import type { MigrationDetail } from '../api/contract.ts'
import { moment, stageMeaning } from '../words.ts'
import { Badge } from './basics.tsx'
import { GateLine } from './gates.tsx'

/** The six rungs, where the migration stands, where it is going, and the gates in between. */
export function Ladder({ migration }: { migration: MigrationDetail }) {
  const over = migration.status === 'complete' || migration.status === 'aborted'
  return (
    <ol className={over ? `ladder ladder-${migration.status}` : 'ladder'}>
      {migration.ladder.map((rung) => (
        <li
          key={rung.stage}
          className={`rung rung-${rung.state}`}
          aria-current={rung.stage === migration.stage ? 'step' : undefined}
        >
          <div className="rung-line">
            <span className="rung-mark" />
          </div>
          <div className="rung-name">
            {rung.stage}
            {rung.stage === migration.desiredStage && rung.stage !== migration.stage && !over && (
              <Badge tone="accent" dot={false}>
                asked for
              </Badge>
            )}
          </div>
          <div className="rung-meaning">{stageMeaning[rung.stage]}</div>
          {rung.enteredAt !== null && rung.state !== 'ahead' && rung.state !== 'entering' && (
            <div className="rung-time">since {moment(rung.enteredAt)}</div>
          )}
          {rung.gates.length > 0 && rung.state !== 'done' && (
            <ul className="gates">
              {rung.gates.map((gate) => (
                <GateLine key={gate.gate} evidence={gate} />
              ))}
            </ul>
          )}
        </li>
      ))}
    </ol>
  )
}
