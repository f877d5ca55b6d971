import type { Health } from '../contract.ts'
import { healthWord } from '../words.ts'

/** How healthy a service is: a dot for the eye, the word for everybody else. */
export function HealthDot({ health }: { health: Health }) {
  const { text, tone } = healthWord[health.state]
  return (
    <span className={`health-dot tone-${tone} health-${health.state}`} title={health.message ?? text}>
      <span className="unseen">{text}</span>
    </span>
  )
}
