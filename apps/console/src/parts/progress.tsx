import type { CutoverView, Finding, MigrationDetail, StreamView } from '../api/contract.ts'
import { bytes, count, milliseconds, moment } from '../words.ts'
import { Badge, Card, Empty } from './basics.tsx'

type TransitionView = NonNullable<MigrationDetail['transition']>

const stepTone = { done: 'good', running: 'accent', waiting: 'idle', failed: 'bad' } as const

/** The step-by-step way between two rungs. */
export function Transition({ transition }: { transition: TransitionView }) {
  return (
    <Card title={`${transition.from} → ${transition.to}`} aside={`since ${moment(transition.startedAt)}`} flush>
      <ol className="steps-list">
        {transition.steps.map((step) => (
          <li key={step.name} className={`step step-${step.state}`}>
            <Badge tone={stepTone[step.state]}>{step.state}</Badge>
            <span className="step-title">{step.title}</span>
            <span className="muted">
              {step.detail}
              {step.attempts > 1 && ` (attempt ${step.attempts})`}
            </span>
            {step.failure && (
              <span className="text-bad">
                <code>{step.failure.code}</code> {step.failure.message}
              </span>
            )}
          </li>
        ))}
      </ol>
    </Card>
  )
}

const streamTone = { waiting: 'idle', snapshot: 'accent', following: 'good', failed: 'bad', stopped: 'idle' } as const

export function StreamTable({ streams }: { streams: readonly StreamView[] }) {
  return (
    <div className="scroll-x">
      <table className="list">
        <thead>
          <tr>
            <th>reads</th>
            <th>direction</th>
            <th>state</th>
            <th className="number">lag</th>
            <th className="number">behind</th>
            <th className="number">rows/s</th>
            <th className="number">rows</th>
            <th className="number">to prove</th>
            <th>applied</th>
            <th>proven</th>
          </tr>
        </thead>
        <tbody>
          {streams.map((stream) => (
            <tr key={stream.shard}>
              <td>
                <strong>{stream.shard}</strong>
              </td>
              <td>{stream.direction === 'forward' ? 'to the target' : 'to the source'}</td>
              <td>
                <Badge tone={streamTone[stream.state]}>{stream.state}</Badge>
              </td>
              <td className="number">{milliseconds(stream.lagMs)}</td>
              <td className="number">{bytes(stream.lagBytes)}</td>
              <td className="number">{count(stream.rowsPerSecond)}</td>
              <td className="number">{count(stream.rowsApplied)}</td>
              <td className="number">{count(stream.touched)}</td>
              <td>
                <code>{stream.applied ?? '–'}</code>
              </td>
              <td>
                <code>{stream.proven ?? '–'}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

export function Throttle({ throttle }: { throttle: MigrationDetail['throttle'] }) {
  return (
    <div className="throttle">
      <Badge tone={{ open: 'good', slowed: 'warn', paused: 'bad' }[throttle.state] as 'good'}>{throttle.state}</Badge>
      <p>{throttle.reason}</p>
      <dl className="facts">
        <div>
          <dt>limit</dt>
          <dd>{throttle.bytesPerSecondMax === null ? 'none' : `${bytes(throttle.bytesPerSecondMax)}/s`}</dd>
        </div>
        <div>
          <dt>probe now</dt>
          <dd>{milliseconds(throttle.latencyMs)}</dd>
        </div>
        <div>
          <dt>baseline</dt>
          <dd>{milliseconds(throttle.baselineMs)}</dd>
        </div>
        <div>
          <dt>budget</dt>
          <dd>{throttle.budget === null ? 'off' : `+${Math.round(throttle.budget * 100)} %`}</dd>
        </div>
      </dl>
    </div>
  )
}

const outcomeTone = { running: 'accent', flipped: 'good', undone: 'warn' } as const

export function Cutovers({ cutovers }: { cutovers: readonly CutoverView[] }) {
  if (cutovers.length === 0) return <Empty title="No cutover yet">It happens on the way from shadow to live.</Empty>
  return (
    <ul className="cutovers">
      {cutovers.toReversed().map((cutover) => (
        <li key={`${cutover.startedAt} ${cutover.attempt}`}>
          <div>
            <Badge tone={outcomeTone[cutover.outcome]}>
              {cutover.outcome === 'flipped' ? `to the ${cutover.to}` : cutover.outcome}
            </Badge>{' '}
            <strong>{milliseconds(cutover.pauseMs)}</strong>{' '}
            <span className="muted">pause, {moment(cutover.startedAt)}</span>
          </div>
          <Parts parts={cutover.parts} />
          {cutover.reason !== null && <div className="muted">{cutover.reason}</div>}
        </li>
      ))}
    </ul>
  )
}

/** Where the pause went, as one bar in proportion. */
function Parts({ parts }: { parts: Readonly<Record<string, number>> }) {
  const entries = Object.entries(parts).filter(([, value]) => value > 0)
  const total = entries.reduce((sum, [, value]) => sum + value, 0)
  if (total === 0) return null
  return (
    <div
      className="parts"
      role="img"
      aria-label={entries.map(([name, value]) => `${name} ${milliseconds(value)}`).join(', ')}
    >
      {entries.map(([name, value], index) => (
        <span
          key={name}
          className={`part part-${index % 5}`}
          style={{ flexGrow: value }}
          title={`${name} ${milliseconds(value)}`}
        >
          {value / total > 0.14 && name}
        </span>
      ))}
    </div>
  )
}

const severityTone = { block: 'bad', warn: 'warn', note: 'idle' } as const

export function Findings({ findings }: { findings: readonly Finding[] }) {
  return (
    <ul className="findings">
      {findings.map((finding) => (
        <li key={`${finding.code} ${finding.subject}`}>
          <Badge tone={severityTone[finding.severity]}>{finding.code}</Badge>
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
