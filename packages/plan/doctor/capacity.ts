import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { WriteRate } from '@crossfade/pipeline/catalog.ts'
import { usualRates } from '../forecast.ts'
import { formatBytes, formatCount } from '../quantity.ts'
import { finding } from './finding.ts'
import { byServer, type Subject } from './subject.ts'

/** Above this share of what can be applied, the stream catches up too slowly to be counted on. */
const comfortableShare = 0.7

/** Whether the targets have the room, and whether the stream can keep up with the writes (D03). */
export function checkCapacity(subject: Subject, writeRates: ReadonlyMap<ShardId, WriteRate>): Finding[] {
  const findings: Finding[] = []
  const { forecast } = subject.resolution
  if (!forecast) return findings
  for (const shards of byServer(subject.survey.target.shards)) {
    const needed = (forecast.targetDiskBytes + forecast.targetWalBytes) * shards.length
    const names = shards.map(({ id }) => id).join(', ')
    const free = shards[0]!.server.diskFreeBytes
    const details = { shard: names, needed: formatBytes(needed) }
    if (free === null) findings.push(finding('CF2143', 'note', names, details))
    else if (free < needed) findings.push(finding('CF2118', 'block', names, { ...details, free: formatBytes(free) }))
  }
  for (const [shard, rate] of writeRates) {
    const share = rate.rowsPerSecond / usualRates.applyRowsPerSecond
    if (share <= comfortableShare) continue
    const details = {
      shard,
      offered: formatCount(rate.rowsPerSecond),
      applied: formatCount(usualRates.applyRowsPerSecond),
    }
    findings.push(finding('CF2131', share > 1 ? 'block' : 'warn', shard, details))
  }
  return findings
}
