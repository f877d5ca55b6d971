import type { ShardId } from '@crossfade/model/ids.ts'
import type { Client } from 'pg'
import type { Expectation } from './ledger.ts'

export interface Proof {
  /** Rows of the ledger that were looked up. */
  readonly checked: number
  /** Acknowledged, but not there or not as acknowledged. */
  readonly lost: number
  /** There more than once, or on a shard that does not own it, or a counter that counted a write twice. */
  readonly duplicated: number
  /** The first findings, in words; at most `examplesMax`. */
  readonly examples: readonly string[]
}

const examplesMax = 20
const keysPerQuery = 2_000

interface Found {
  readonly shard: ShardId
  readonly row: Record<string, string | null>
}

/**
 * Holds the ledger against the databases that answer now: every row it names is looked up on *every* shard of the side, so that a row that
 * is missing, stale, left behind, or there twice is found. Reads only.
 */
export async function proveLedger(
  expectations: ReadonlyMap<string, Expectation>,
  shards: ReadonlyMap<ShardId, Client>,
  ownerOf: (tenant: string) => ShardId,
): Promise<Proof> {
  const groups = new Map<string, Expectation[]>()
  for (const expectation of expectations.values()) {
    const group = `${expectation.table} ${Object.keys(expectation.key).join()}`
    const members = groups.get(group)
    if (members) members.push(expectation)
    else groups.set(group, [expectation])
  }
  const examples: string[] = []
  let lost = 0
  let duplicated = 0
  let checked = 0
  const note = (text: string) => {
    if (examples.length < examplesMax) examples.push(text)
  }
  for (const members of groups.values()) {
    for (let at = 0; at < members.length; at += keysPerQuery) {
      const slice = members.slice(at, at + keysPerQuery)
      const found = await lookUp(slice, shards)
      for (const expectation of slice) {
        if (expectation.state === 'unknown') continue
        checked++
        const verdict = judge(
          expectation,
          found.get(JSON.stringify(Object.values(expectation.key))) ?? [],
          ownerOf(expectation.tenant),
        )
        if (!verdict) continue
        if (verdict.kind === 'lost') lost++
        else duplicated++
        note(`${expectation.table} ${JSON.stringify(expectation.key)}: ${verdict.reason}`)
      }
    }
  }
  return { checked, lost, duplicated, examples }
}

/** Every row of every shard with one of these keys, all columns as text. */
async function lookUp(
  slice: readonly Expectation[],
  shards: ReadonlyMap<ShardId, Client>,
): Promise<Map<string, Found[]>> {
  const { table, key } = slice[0]!
  const names = Object.keys(key)
  const keys = names.map((name) => `t."${name}"::text`).join(', ')
  const wanted = names.map((_, index) => `$${index + 1}::text[]`).join(', ')
  const columns = [...new Set(slice.flatMap((one) => (one.state === 'there' ? Object.keys(one.columns) : [])))]
  const output = columns.map((name) => `t."${name}"::text AS "${name}"`)
  const sql = `SELECT ARRAY[${keys}]::text[] AS "crossfade key"${output.map((column) => `, ${column}`).join('')}
    FROM "${table}" t WHERE (${keys}) IN (SELECT * FROM unnest(${wanted}))`
  const values = names.map((name) => slice.map((one) => one.key[name]))
  const found = new Map<string, Found[]>()
  for (const [shard, client] of shards) {
    for (const { 'crossfade key': rowKey, ...row } of (await client.query(sql, values)).rows) {
      const id = JSON.stringify(rowKey)
      const place = { shard, row: row as Record<string, string | null> }
      const places = found.get(id)
      if (places) places.push(place)
      else found.set(id, [place])
    }
  }
  return found
}

function judge(
  expectation: Expectation,
  places: readonly Found[],
  owner: ShardId,
): { kind: 'lost' | 'duplicated'; reason: string } | null {
  if (expectation.state === 'gone') {
    return places.length === 0
      ? null
      : { kind: 'lost', reason: `deleted, yet there on ${places.map((place) => place.shard).join(', ')}` }
  }
  if (places.length === 0) return { kind: 'lost', reason: 'not there' }
  if (places.length > 1)
    return {
      kind: 'duplicated',
      reason: `there ${places.length} times, on ${places.map((place) => place.shard).join(', ')}`,
    }
  const { shard, row } = places[0]!
  if (shard !== owner) return { kind: 'duplicated', reason: `on ${shard}, but ${owner} owns it` }
  if (expectation.state === 'unknown') return null
  for (const [column, value] of Object.entries(expectation.columns)) {
    const actual = row[column] ?? null
    if (actual === value) continue
    const more = /^\d+$/.test(actual ?? '') && /^\d+$/.test(value ?? '') && Number(actual) > Number(value)
    return { kind: more ? 'duplicated' : 'lost', reason: `${column} is ${actual}, acknowledged as ${value}` }
  }
  return null
}
