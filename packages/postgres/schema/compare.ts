import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { ClientBase } from 'pg'
import { type Description, describeInventory } from './describe.ts'
import type { DesiredSchema } from './desired.ts'
import { finding } from './finding.ts'
import { canonical } from './generate/sql-text.ts'
import type { Grant, Inventory, View } from './inventory-types.ts'

/**
 * Says how a target differs from what it should hold: missing things (warn; block for a table, a column or a key), differing things (warn), and
 * things that the source does not have (note). What differs only because another major version prints it otherwise is no difference; for views
 * that is found out by `sameQuery`.
 */
export async function compareSchema(
  desired: DesiredSchema,
  target: Inventory,
  shard: ShardId,
  mode: 'create' | 'existing',
  sameQuery: (expected: View, found: View) => Promise<boolean>,
): Promise<Finding[]> {
  const expected = describeInventory(desired.inventory)
  const found = describeInventory(withinScope(target, desired))
  const findings: Finding[] = []
  const differentMajor = major(desired.inventory) !== major(target)
  for (const [key, wanted] of expected) {
    const there = found.get(key)
    if (!there) {
      const isPart = wanted.owner !== null && !found.has(wanted.owner)
      if (!isPart && !isOfTheVersion(wanted, desired.inventory, target)) findings.push(missing(wanted, shard, mode))
      continue
    }
    for (const [facet, value] of Object.entries(wanted.facets)) {
      const other = there.facets[facet] ?? ''
      if (value === other) continue
      if (facet === 'query' && (await sameView(wanted, desired.inventory, target, sameQuery))) continue
      if (facet === 'definition' && differentMajor && isDeparsedBody(wanted, desired.inventory)) continue
      if (facet === 'tablespace' && !target.tablespaces.includes(value)) continue
      findings.push(differs(wanted, facet, value, other, shard, mode))
    }
  }
  for (const [key, extra] of found) {
    if (expected.has(key) || isOfTheVersion(extra, target, desired.inventory)) continue
    if (extra.owner !== null && !expected.has(extra.owner)) continue
    const { kind, identity } = extra
    findings.push(finding('CF2212', 'note', `${shard} ${identity}`, { shard, kind, identity }))
  }
  return [...findings, ...compareGrants(desired.inventory, target, shard)]
}

/**
 * Whether two servers mean the same view though they print it differently: the target is asked to print the source's text in its own way, in a
 * transaction that is rolled back. Where the role may make no temporary views only the columns count.
 */
export async function sameViewOnTarget(client: ClientBase, expected: View, found: View): Promise<boolean> {
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL search_path = ''`)
    const columns = expected.columns.map((column) => `"${column.name.replaceAll('"', '""')}"`).join(', ')
    await client.query(`CREATE TEMPORARY VIEW crossfade_compared (${columns}) AS ${expected.query}`)
    const { rows } = await client.query<{ query: string }>(
      `SELECT pg_get_viewdef('pg_temp.crossfade_compared'::regclass) AS query`,
    )
    return canonical(rows[0]!.query.replace(/[;\s]+$/, '')) === canonical(found.query)
  } catch (error) {
    if ((error as { code?: string }).code === '42501') return true
    if (typeof (error as { code?: string }).code === 'string') return false
    throw error
  } finally {
    await client.query('ROLLBACK').catch(() => undefined)
  }
}

/** The schemas that the desired inventory knows; others on the target are nobody's concern. */
function withinScope(target: Inventory, desired: DesiredSchema): Inventory {
  const scope = new Set([
    ...desired.inventory.schemas.map((schema) => schema.name),
    ...desired.inventory.tables.map((table) => table.name.schema),
  ])
  const inScope = (each: { readonly name: { readonly schema: string } }) => scope.has(each.name.schema)
  const kept = new Set<string>()
  const keep = <Object extends { readonly address: string }>(objects: readonly Object[]): readonly Object[] => {
    for (const object of objects) kept.add(object.address)
    return objects
  }
  const tables = keep(target.tables.filter((table) => table.kind !== 'foreign' && inScope(table)))
  for (const table of tables) {
    keep([...table.constraints, ...table.indexes, ...table.triggers, ...table.rules, ...table.policies])
  }
  const views = keep(target.views.filter(inScope))
  for (const view of views) keep([...view.indexes, ...view.triggers, ...view.rules])
  return {
    ...target,
    tables,
    views,
    schemas: keep(target.schemas.filter((schema) => scope.has(schema.name))),
    types: keep(target.types.filter(inScope)),
    collations: keep(target.collations.filter(inScope)),
    sequences: keep(target.sequences.filter(inScope)),
    routines: keep(target.routines.filter((routine) => scope.has(routine.schema))),
    statistics: keep(target.statistics.filter(inScope)),
    comments: target.comments.filter((comment) => kept.has(comment.of)),
  }
}

const blockingCodes = new Set(['table', 'column'])

function missing(wanted: Description, shard: ShardId, mode: 'create' | 'existing'): Finding {
  const { kind, identity } = wanted
  const key = kind === 'constraint' && /^PRIMARY KEY/i.test(wanted.facets['definition'] ?? '')
  return finding(
    'CF2210',
    blockingCodes.has(kind) ? 'block' : mode === 'existing' && !key ? 'note' : 'warn',
    `${shard} ${identity}`,
    {
      shard,
      kind,
      identity,
    },
  )
}

function differs(
  wanted: Description,
  facet: string,
  expected: string,
  other: string,
  shard: ShardId,
  mode: 'create' | 'existing',
): Finding {
  const { kind, identity } = wanted
  return finding('CF2211', mode === 'existing' ? 'note' : 'warn', `${shard} ${identity}`, {
    shard,
    kind,
    identity,
    facet,
    expected: shorten(expected),
    found: shorten(other),
  })
}

/**
 * Whether one server has the thing and the other can't show it: before 18 not-null constraints have no entry of their own, and the comment that
 * comes with the schema `public` is the server's.
 */
function isOfTheVersion(description: Description, has: Inventory, lacks: Inventory): boolean {
  if (description.kind !== 'not-null constraint') return false
  return lacks.serverVersion < 180_000 || has.serverVersion < 180_000
}

/** A body that the server prints from its parsed form, so that another version prints it otherwise. */
function isDeparsedBody(wanted: Description, inventory: Inventory): boolean {
  if (wanted.kind === 'rule') return true
  if (wanted.kind !== 'function' && wanted.kind !== 'procedure') return false
  return inventory.routines.some(
    (each) => `${each.schema}.${each.name}(${each.arguments})` === wanted.identity && each.source === null,
  )
}

async function sameView(
  wanted: Description,
  source: Inventory,
  target: Inventory,
  sameQuery: (expected: View, found: View) => Promise<boolean>,
): Promise<boolean> {
  const isIt = (view: View) => tableKey(view.name) === wanted.identity
  const expected = source.views.find(isIt)
  const found = target.views.find(isIt)
  return expected !== undefined && found !== undefined && (await sameQuery(expected, found))
}

/** Privileges of roles that both sides have, without those of owners and those that PUBLIC has on the schema `public`. */
function compareGrants(expected: Inventory, target: Inventory, shard: ShardId): Finding[] {
  const roles = new Set([...target.roles, 'public'])
  const owners = new Map(
    target.grants.filter((grant) => grant.toOwner).map((grant) => [`${grant.kind} ${grant.identity}`, grant.grantee]),
  )
  const key = (grant: Grant) =>
    `${grant.kind} ${canonical(grant.identity)} ${grant.column ?? ''} ${grant.grantee} ${grant.privilege} ${grant.grantable}`
  const there = new Set(target.grants.map(key))
  const relevant = expected.grants.filter(
    (grant) =>
      !grant.toOwner &&
      roles.has(grant.grantee) &&
      owners.get(`${grant.kind} ${grant.identity}`) !== grant.grantee &&
      !(grant.kind === 'schema' && grant.identity === 'public' && grant.grantee === 'public'),
  )
  return relevant
    .filter((grant) => !there.has(key(grant)))
    .map((grant) => {
      const identity = `${grant.privilege} on ${grant.kind} ${grant.identity}${grant.column ? ` (${grant.column})` : ''} to ${grant.grantee}`
      return finding('CF2210', 'warn', `${shard} ${identity}`, { shard, kind: 'privilege', identity })
    })
}

function shorten(text: string): string {
  return text.length <= shownMax ? text : `${text.slice(0, shownMax)}…`
}

const shownMax = 120

function major(inventory: Inventory): number {
  return Math.floor(inventory.serverVersion / 10_000)
}
