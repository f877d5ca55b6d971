import type { Finding } from '@crossfade/model/finding.ts'
import { defaults } from '../limits.ts'
import { bytes, formatBytes, formatDuration } from '../quantity.ts'
import { finding } from './finding.ts'
import { allShards, byServer, type Subject, versionText } from './subject.ts'

/** The oldest server whose pgoutput and catalogs are understood. */
const versionMin = 140_000
/** A stream and, when a snapshot is lost, another beside it for as long as the new one is copied from. */
const slotsPerShard = 2
/** Streams, prover, fences, health and control, beside the copy. */
const connectionsBesideCopy = 8

/** Version, WAL level, slots, senders, connections, standby, locale and time zone: what a server must offer. */
export function checkServers(subject: Subject): Finding[] {
  const findings: Finding[] = []
  const shards = allShards(subject.survey)
  for (const { id, side, server } of shards) {
    if (server.version < versionMin) {
      findings.push(finding('CF2101', 'block', id, { shard: id, version: versionText(server.version) }))
    }
    // The way back needs the target's log as much as the way there needs the source's.
    if (server.walLevel !== 'logical')
      findings.push(finding('CF2102', 'block', id, { shard: id, level: server.walLevel }))
    if (server.inRecovery) findings.push(finding('CF2134', 'block', id, { shard: id }))
    const allowed = bytes(subject.loaded.document.throttle?.walBytesMax ?? defaults.walBytesMax)
    if (side === 'source' && server.maxSlotWalKeepBytes !== null && server.maxSlotWalKeepBytes < allowed) {
      const details = { shard: id, kept: formatBytes(server.maxSlotWalKeepBytes), allowed: formatBytes(allowed) }
      findings.push(finding('CF2119', 'warn', id, details))
    }
  }
  findings.push(...checkRoom(subject), ...checkLikeness(subject), ...checkTransactions(subject))
  return findings
}

/** Slots, senders and connections are shared by all databases of a server. */
function checkRoom(subject: Subject): Finding[] {
  const findings: Finding[] = []
  const jobs = subject.loaded.document.copy?.jobsPerWorker ?? defaults.jobsPerWorker
  for (const shards of byServer(allShards(subject.survey))) {
    const { server } = shards[0]!
    const names = shards.map(({ id }) => id).join(', ')
    const needed = shards.length * slotsPerShard
    const room = [
      ['CF2103', server.maxReplicationSlots, server.usedReplicationSlots],
      ['CF2104', server.maxWalSenders, server.usedWalSenders],
    ] as const
    for (const [code, max, used] of room) {
      const free = max - used
      if (free >= needed) continue
      const details = { shard: names, free, needed, suggested: used + needed }
      findings.push(finding(code, free < shards.length ? 'block' : 'warn', names, details))
    }
    const connections = shards.length * (jobs + connectionsBesideCopy)
    const free = server.maxConnections - server.usedConnections
    if (free < connections) {
      findings.push(
        finding('CF2142', free < connections / 2 ? 'block' : 'warn', names, {
          shard: names,
          free,
          needed: connections,
        }),
      )
    }
  }
  return findings
}

/** Encoding, locale, time zone and version of the targets against the first source. */
function checkLikeness({ survey }: Subject): Finding[] {
  const findings: Finding[] = []
  const [source] = survey.source.shards
  if (!source) return findings
  const localeOf = (server: typeof source.server) => `${server.localeProvider}:${server.collate}/${server.ctype}`
  for (const shard of [...survey.source.shards.slice(1), ...survey.target.shards]) {
    const { id, server } = shard
    const pair = { shard: id, other: source.id }
    if (server.encoding !== source.server.encoding) {
      // Everything fits into UTF8; nothing else is sure to hold what the source holds.
      const severity = server.encoding === 'UTF8' ? 'note' : 'block'
      findings.push(
        finding('CF2114', severity, id, { ...pair, encoding: server.encoding, otherEncoding: source.server.encoding }),
      )
    }
    if (localeOf(server) !== localeOf(source.server)) {
      findings.push(
        finding('CF2115', 'warn', id, { ...pair, locale: localeOf(server), otherLocale: localeOf(source.server) }),
      )
    }
    if (server.timezone !== source.server.timezone) {
      findings.push(
        finding('CF2126', 'note', id, { ...pair, timezone: server.timezone, otherTimezone: source.server.timezone }),
      )
    }
    if (shard.side === 'target' && Math.floor(server.version / 10_000) < Math.floor(source.server.version / 10_000)) {
      const details = {
        shard: id,
        version: versionText(server.version),
        sourceVersion: versionText(source.server.version),
      }
      findings.push(finding('CF2127', 'warn', id, details))
    }
  }
  return findings
}

/** What holds snapshots back, and what would make a cutover wait. */
function checkTransactions({ survey }: Subject): Finding[] {
  const findings: Finding[] = []
  for (const { id, objects } of allShards(survey)) {
    for (const { pid, seconds } of objects.longTransactions) {
      findings.push(finding('CF2120', 'warn', id, { shard: id, pid, age: formatDuration(seconds * 1000) }))
    }
    for (const { gid, seconds } of objects.preparedTransactions) {
      findings.push(finding('CF2121', 'warn', id, { shard: id, gid, age: formatDuration(seconds * 1000) }))
    }
  }
  return findings
}
