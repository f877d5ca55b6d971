import type { Finding } from '@crossfade/model/finding.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { CatalogSequence } from '@crossfade/pipeline/catalog.ts'
import { countedLargeObjects } from '../losses.ts'
import { quoteIdentifier } from '../table-pattern.ts'
import { finding } from './finding.ts'
import { allShards, type Subject } from './subject.ts'

/** A sequence that has used this much of what its column can hold will run out during somebody's holidays. */
const sequenceUseMax = 0.8
const typeMaximum: Readonly<Record<string, bigint>> = { smallint: 32_767n, integer: 2_147_483_647n }
/** They come with every server or are made along with the schema. */
const ordinaryExtensions = ['plpgsql']

/** Large objects, event triggers, extensions, sequences and leftovers. */
export function checkObjects(subject: Subject): Finding[] {
  const { survey, loaded, resolution } = subject
  const findings: Finding[] = []
  const largeObjects = loaded.document.schema?.largeObjects === 'ignore' ? 'note' : 'block'
  for (const shard of allShards(survey)) {
    const { id, objects } = shard
    for (const trigger of objects.eventTriggers) {
      findings.push(
        finding('CF2116', 'warn', `${id} ${trigger}`, { shard: id, trigger, triggerQuoted: quoteIdentifier(trigger) }),
      )
    }
    for (const migration of objects.crossfadeMigrations) {
      findings.push(finding('CF2139', 'warn', id, { shard: id, migration }))
    }
    if (shard.side !== 'source') continue
    const isTold = resolution.problems.some(({ code, details }) => code === 'CF2111' && details['shard'] === id)
    if (objects.largeObjects > 0 && !isTold) {
      const count = countedLargeObjects(objects.largeObjects)
      findings.push(finding('CF2111', largeObjects, id, { shard: id, count }))
    }
    for (const sequence of objects.sequences) findings.push(...checkSequence(id, sequence))
  }
  return [...findings, ...checkExtensions(subject)]
}

function checkSequence(shard: string, sequence: CatalogSequence): Finding[] {
  if (sequence.lastValue === null || sequence.increment < 0n) return []
  const column = sequence.ownedBy ? typeMaximum[sequence.ownedBy.type] : undefined
  const limit = column !== undefined && column < sequence.maximum ? column : sequence.maximum
  const use = Number((sequence.lastValue * 1000n) / limit) / 1000
  if (use < sequenceUseMax) return []
  const name = tableKey(sequence.name)
  const what = column === limit && sequence.ownedBy ? `${sequence.ownedBy.column} (${sequence.ownedBy.type})` : 'it'
  return [
    finding('CF2128', 'warn', `${shard} ${name}`, {
      sequence: name,
      shard,
      percent: Math.round(use * 100),
      limit: what,
    }),
  ]
}

/** Extensions that the moved tables need, or that the source has at all. */
function checkExtensions({ survey, resolution }: Subject): Finding[] {
  const needed = new Set<string>()
  for (const { table } of resolution.selection.tables) {
    for (const column of table.columns) if (column.extension !== null) needed.add(column.extension)
  }
  const present = new Set(survey.source.shards.flatMap((shard) => shard.objects.extensions.map(({ name }) => name)))
  const findings: Finding[] = []
  for (const { id, objects } of survey.target.shards) {
    for (const extension of [...present].sort()) {
      if (ordinaryExtensions.includes(extension) || objects.extensions.some(({ name }) => name === extension)) continue
      const available = objects.availableExtensions.includes(extension)
      const severity = needed.has(extension) && !available ? 'block' : available ? 'note' : 'warn'
      const details = { extension, shard: id, extensionQuoted: quoteIdentifier(extension) }
      findings.push(finding('CF2113', severity, `${id} ${extension}`, details))
    }
  }
  return findings
}
