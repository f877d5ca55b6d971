import type { MigrationDetail } from '../api/contract.ts'
import { bytes, milliseconds } from '../words.ts'
import { Badge } from './basics.tsx'

const tone = { open: 'good', slowed: 'warn', paused: 'bad' } as const

/** What the throttle does to the copy, and why. */
export function Throttle({ throttle }: { throttle: MigrationDetail['throttle'] }) {
  return (
    <div className="throttle">
      <Badge tone={tone[throttle.state]}>{throttle.state}</Badge>
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
