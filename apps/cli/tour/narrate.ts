import type { MigrationService } from '@crossfade/engine/contract.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'

/** Says the journal's entries as they come, one line each. Returns what ends it. */
export function narrate(service: MigrationService, id: MigrationId, say: (text: string) => void): () => void {
  const started = performance.now()
  return service.subscribe((event) => {
    if (event.type !== 'journal') return
    const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6)
    say(`${seconds} s  ${event.entry.summary}`)
  }, id)
}
