import type { CutoverView } from '../api/contract.ts'
import { milliseconds, moment } from '../words.ts'
import { Badge, Empty } from './basics.tsx'

const outcomeTone = { running: 'accent', flipped: 'good', undone: 'warn' } as const
const partsOrder = ['order', 'hooks', 'fence', 'drain', 'flip', 'open']

/** Every cutover, newest first: where it went, how long writes were held, and what the time went into. */
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
            <span className="muted">
              pause, {moment(cutover.startedAt)}
              {cutover.attempt > 1 && `, attempt ${cutover.attempt}`}
            </span>
          </div>
          <Parts parts={cutover.parts} />
          {cutover.reason !== null && <div className="muted">{cutover.reason}</div>}
        </li>
      ))}
    </ul>
  )
}

/** Where the pause went: a bar in proportion, and each part in words. */
function Parts({ parts }: { parts: Readonly<Record<string, number>> }) {
  const entries = Object.entries(parts)
    .filter(([, value]) => value > 0)
    .sort(([one], [other]) => partsOrder.indexOf(one) - partsOrder.indexOf(other))
  if (entries.length === 0) return null
  return (
    <>
      <div className="parts" aria-hidden="true">
        {entries.map(([name, value], index) => (
          <span key={name} className={`part part-${index % 5}`} style={{ flexGrow: value }} />
        ))}
      </div>
      <ul className="parts-words">
        {entries.map(([name, value], index) => (
          <li key={name} className={`part-word part-word-${index % 5}`}>
            {name} {milliseconds(value)}
          </li>
        ))}
      </ul>
    </>
  )
}
