import type { ThrottleProbe } from '@crossfade/pipeline/resolved-plan.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import type { HttpGet } from './gates.ts'
import { answerMsMax, inTime } from './look-in-time.ts'

/** What a probe said: its latency, or in one line that its figure is over its limit, or that it gave none. */
export interface ProbeAnswer {
  readonly latencyMs: number | null
  readonly over: string | null
  readonly silent: string | null
}

/** Asks one probe of the plan. Never rejects: a probe that fails is silent. */
export async function askProbe(ports: TrackPorts, probe: ThrottleProbe, httpGet: HttpGet): Promise<ProbeAnswer> {
  try {
    const begun = ports.clock.now()
    const answer =
      probe.kind === 'query'
        ? await inTime(ports, ports.plane.observation.probe(probe.shard, probe.sql))
        : await httpProbe(probe, httpGet, ports, begun)
    const figure = probe.kind === 'query' && probe.value === 'latency' ? answer.latencyMs : answer.value
    const over =
      probe.max !== null && figure !== null && figure > probe.max
        ? `${probe.name} is ${figure}, at most ${probe.max}`
        : null
    const latencyMs = probe.kind === 'query' && probe.value === 'latency' ? answer.latencyMs : null
    return { latencyMs, over, silent: figure === null ? `${probe.name} gave no number` : null }
  } catch {
    return { latencyMs: null, over: null, silent: `${probe.name} did not answer` }
  }
}

async function httpProbe(
  probe: Extract<ThrottleProbe, { kind: 'http' }>,
  httpGet: HttpGet,
  ports: TrackPorts,
  begun: number,
) {
  const answer = await httpGet(probe.url, answerMsMax)
  const value = answer.status >= 200 && answer.status < 300 ? numberAt(answer.text, probe.path) : null
  return { latencyMs: ports.clock.now() - begun, value }
}

/** `a.b.0` in a JSON text; the whole text when the path is empty. */
function numberAt(text: string, path: string): number | null {
  let at: unknown
  try {
    at = JSON.parse(text)
  } catch {
    return null
  }
  for (const part of path.split('.').filter((name) => name !== '' && name !== '$'))
    at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined
  return typeof at === 'number' && Number.isFinite(at) ? at : null
}
