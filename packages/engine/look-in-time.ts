import { fail } from '@crossfade/model/failure.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'

/** What does not answer within this counts as silent at this look. */
export const answerMsMax = 2_000

/** What the work gives. Rejects with CF6007 when a database has not answered within `answerMsMax` milliseconds; the work itself goes on unheeded. */
export async function inTime<T>(ports: TrackPorts, work: Promise<T>): Promise<T> {
  const done = new AbortController()
  const late = ports.clock.sleep(answerMsMax, done.signal).then(() => {
    throw fail('CF6007', { where: 'a look at a database', reason: `no answer within ${answerMsMax} ms` })
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    done.abort(new Error('done'))
  }
}
