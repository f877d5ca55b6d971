import type { MigrationDetail } from '../api/contract.ts'
import { useTick } from '../state/use-tick.ts'
import { duration, moment } from '../words.ts'
import { Badge, Card } from './basics.tsx'

type TransitionView = NonNullable<MigrationDetail['transition']>
type StepView = TransitionView['steps'][number]

const stepTone = { done: 'good', running: 'accent', waiting: 'idle', failed: 'bad' } as const

/** The step-by-step way between two rungs. */
export function Transition({ transition }: { transition: TransitionView }) {
  const done = transition.steps.filter((step) => step.state === 'done').length
  return (
    <Card
      title={`${transition.from} → ${transition.to}`}
      aside={`${done} of ${transition.steps.length} steps, since ${moment(transition.startedAt)}`}
      flush
    >
      <ol className="steps-list">
        {transition.steps.map((step) => (
          <li key={step.name} className={`step step-${step.state}`}>
            <Badge tone={stepTone[step.state]}>{step.state}</Badge>
            <span className="step-title">{step.title}</span>
            <span className="muted">
              {step.detail}
              {step.attempts > 1 && ` (attempt ${step.attempts})`}
            </span>
            <Took step={step} />
            {step.failure && (
              <span className="step-failure">
                <code>{step.failure.code}</code> {step.failure.message}{' '}
                <span className="muted">→ {step.failure.remedy}</span>
              </span>
            )}
          </li>
        ))}
      </ol>
    </Card>
  )
}

function Took({ step }: { step: StepView }) {
  const now = useTick(1_000)
  if (step.startedAt === null) return null
  const end = step.finishedAt === null ? now : Date.parse(step.finishedAt)
  return <span className="step-took">{duration(Math.max(0, end - Date.parse(step.startedAt)) / 1_000)}</span>
}
