import { useState } from 'react'
import { command } from '../api/client.ts'
import type { Evidence, MigrationDetail, Stage } from '../api/contract.ts'
import { useRefusal } from '../state/session.tsx'
import { useSay } from '../state/toasts.tsx'
import { useTick } from '../state/use-tick.ts'
import { duration, moment } from '../words.ts'
import { Badge, Card, Meter, Trouble } from './basics.tsx'

/** Milliseconds that a gate must still hold; 0 when it has held long enough, or does not hold. */
function soakLeftMs({ verdict, passingSince, soakMs }: Evidence, now: number): number {
  if (verdict !== 'pass' || passingSince === null) return 0
  return Math.max(0, soakMs - (now - Date.parse(passingSince)))
}

function toneOf(evidence: Evidence, now: number): 'good' | 'warn' | 'bad' | 'idle' {
  if (soakLeftMs(evidence, now) > 0) return 'warn'
  return ({ pass: 'good', fail: 'bad', unknown: 'idle' } as const)[evidence.verdict]
}

/** A gate in one line, for the ladder. */
export function GateLine({ evidence }: { evidence: Evidence }) {
  const now = useTick(1_000)
  return (
    <li className="gate" title={evidence.detail}>
      <Badge tone={toneOf(evidence, now)}>{evidence.gate}</Badge>
    </li>
  )
}

/** The gates in front of the next stage: what each looked at, its limit, how long it must still hold; and the approval of a manual one. */
export function GatesCard({ migration, reload }: { migration: MigrationDetail; reload: () => void }) {
  const rung = migration.ladder.find((each) => each.state !== 'done' && each.gates.length > 0)
  const now = useTick(1_000)
  if (!rung) return null
  const open = rung.gates.filter((gate) => gate.verdict === 'pass' && soakLeftMs(gate, now) === 0).length
  return (
    <Card title={`Gates of ${rung.stage}`} aside={`${open} of ${rung.gates.length} open`} flush>
      <ul className="gate-list">
        {rung.gates.map((gate) => (
          <GateEvidence
            key={gate.gate}
            migration={migration}
            stage={rung.stage}
            evidence={gate}
            now={now}
            reload={reload}
          />
        ))}
      </ul>
    </Card>
  )
}

function GateEvidence({
  migration,
  stage,
  evidence,
  now,
  reload,
}: {
  migration: MigrationDetail
  stage: Stage
  evidence: Evidence
  now: number
  reload: () => void
}) {
  const left = soakLeftMs(evidence, now)
  const kind = migration.plan.gates.find((gate) => gate.stage === stage && gate.name === evidence.gate)?.kind
  return (
    <li className="gate-evidence">
      <Badge tone={toneOf(evidence, now)}>{evidence.gate}</Badge>
      <div className="gate-what">
        <div>{evidence.detail}</div>
        {evidence.value !== null && evidence.limit !== null && evidence.limit > 0 && (
          <Meter
            share={evidence.value / evidence.limit}
            tone={evidence.verdict === 'fail' ? 'bad' : 'good'}
            label={`${evidence.gate}: ${evidence.value} of at most ${evidence.limit} ${evidence.unit ?? ''}`}
          />
        )}
        {left > 0 && (
          <div className="muted">
            Must hold {duration(Math.ceil(left / 1_000))} longer (of {duration(evidence.soakMs / 1_000)}).
          </div>
        )}
        {left === 0 && evidence.verdict === 'pass' && evidence.passingSince !== null && (
          <div className="muted">Holds since {moment(evidence.passingSince)}.</div>
        )}
        {evidence.verdict === 'unknown' && (
          <div className="muted">No data yet; the gate stays shut until there is.</div>
        )}
      </div>
      {kind === 'manual' && <Approval migration={migration} evidence={evidence} reload={reload} />}
    </li>
  )
}

function Approval({
  migration,
  evidence,
  reload,
}: {
  migration: MigrationDetail
  evidence: Evidence
  reload: () => void
}) {
  const say = useSay()
  const refusal = useRefusal('admin')
  const [sending, setSending] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const approved = evidence.verdict === 'pass'
  const send = async () => {
    setSending(true)
    setError(null)
    try {
      await command(
        `/migrations/${migration.id}/gates/${encodeURIComponent(evidence.gate)}/approval`,
        { approved: !approved },
        'PUT',
      )
      say(approved ? `Took the approval of ${evidence.gate} back` : `Approved ${evidence.gate}`)
      reload()
    } catch (problem) {
      setError(problem)
    }
    setSending(false)
  }
  return (
    <div className="gate-approval">
      <button
        type="button"
        className={approved ? 'button button-plain' : 'button button-primary'}
        disabled={sending || refusal !== null}
        title={refusal ?? undefined}
        onClick={() => void send()}
      >
        {approved ? 'Take back' : 'Approve'}
      </button>
      {error !== null && <Trouble error={error} />}
    </div>
  )
}
