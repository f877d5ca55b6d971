// Whether processes answer on their ports: what a script wants to know after a start, without a database and without a token.
import { textTable } from '@crossfade/plan/text-table.ts'

/** Ports asked at the same time. */
export const concurrentMax = 32
/** A process that has not answered by then counts as silent. */
export const answerMsMax = 3_000

export interface HealthTarget {
  readonly name: string
  /** What is asked; any answer below 500 says that the process serves. */
  readonly url: string
}

export interface HealthAnswer {
  readonly name: string
  readonly url: string
  readonly state: 'healthy' | 'failing' | 'silent'
  readonly milliseconds: number | null
  /** Why it is not healthy. */
  readonly reason: string | null
}

/** Asks every target once, and answers in their order. Never rejects. */
export async function checkHealth(
  targets: readonly HealthTarget[],
  limitMs: number = answerMsMax,
): Promise<readonly HealthAnswer[]> {
  const answers = new Array<HealthAnswer>(targets.length)
  const turns = targets.entries()
  const takeTurns = async () => {
    for (const [index, target] of turns) answers[index] = await ask(target, limitMs)
  }
  await Promise.all(Array.from({ length: Math.min(concurrentMax, targets.length) }, takeTurns))
  return answers
}

/** 0 when all are healthy, else 1; also 1 when there was nothing to ask. */
export function healthExitCode(answers: readonly HealthAnswer[]): 0 | 1 {
  return answers.length > 0 && answers.every(({ state }) => state === 'healthy') ? 0 : 1
}

/** A table of what is not healthy (or of all), and a line of counts. */
export function healthReport(answers: readonly HealthAnswer[], showAll = false): string {
  const shown = showAll ? answers : answers.filter(({ state }) => state !== 'healthy')
  const healthy = answers.filter(({ state }) => state === 'healthy').length
  const summary = `${healthy} of ${answers.length} answer`
  if (shown.length === 0) return summary
  const rows = shown.map(({ name, url, state, milliseconds, reason }) => [
    name,
    state,
    milliseconds === null ? '' : `${milliseconds} ms`,
    url,
    reason ?? '',
  ])
  return `${textTable(['process', 'state', 'answered in', 'address', 'why'], rows, [2])}\n${summary}`
}

async function ask({ name, url }: HealthTarget, limitMs: number): Promise<HealthAnswer> {
  const startedMs = performance.now()
  try {
    const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(limitMs) })
    await answer.body?.cancel()
    const milliseconds = Math.round(performance.now() - startedMs)
    if (answer.status < 500) return { name, url, state: 'healthy', milliseconds, reason: null }
    return { name, url, state: 'failing', milliseconds, reason: `answered ${answer.status}` }
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === 'TimeoutError'
    const { code } = ((error as Error).cause ?? error) as { code?: string }
    return {
      name,
      url,
      state: 'silent',
      milliseconds: null,
      reason: isLate ? `no answer within ${limitMs} ms` : (code ?? 'no answer'),
    }
  }
}
