import { tableKey } from '@crossfade/model/table-name.ts'
import { routineIdentity } from './desired.ts'
import { canonical } from './generate/sql-text.ts'
import type { Column, Index, Inventory, Table, UserType, View } from './inventory-types.ts'

/** One thing of an inventory as facts that can be compared with those of the same thing elsewhere. */
export interface Description {
  readonly kind: string
  readonly identity: string
  readonly facets: Readonly<Record<string, string>>
  /** Key of what it is a part of; null for what stands alone. */
  readonly owner: string | null
}

/** Every object of an inventory and every part of one, by kind and identity. Sizes, addresses and positions are left out. */
export function describeInventory(inventory: Inventory): Map<string, Description> {
  const found = new Map<string, Description>()
  const add: Add = (kind, identity, facets = {}, owner = null) =>
    found.set(`${kind} ${identity}`, { kind, identity, facets, owner })

  for (const each of inventory.schemas) add('schema', each.name)
  for (const each of inventory.extensions) add('extension', each.name)
  for (const each of inventory.types) add(each.kind, tableKey(each.name), typeFacets(each))
  for (const each of inventory.collations) {
    add('collation', tableKey(each.name), {
      provider: each.provider,
      locale: each.locale ?? each.collate ?? '',
      deterministic: String(each.deterministic),
    })
  }
  for (const table of inventory.tables) describeTable(table, inventory, add)
  for (const each of inventory.sequences) {
    add('sequence', tableKey(each.name), {
      type: each.type,
      start: String(each.start),
      increment: String(each.increment),
      range: `${each.minimum} to ${each.maximum}`,
      cache: String(each.cache),
      cycle: String(each.cycle),
      unlogged: String(each.unlogged),
      owner: each.ownedBy ? `${tableKey(each.ownedBy.table)}.${each.ownedBy.column}` : 'none',
    })
  }
  for (const each of inventory.views) describeView(each, add)
  for (const each of inventory.routines) {
    add(each.kind, routineIdentity(each), { definition: each.definition, language: each.language })
  }
  for (const each of inventory.statistics) {
    add('statistics object', tableKey(each.name), {
      definition: canonical(each.definition),
      target: String(each.target),
    })
  }
  for (const each of inventory.others) add(each.kind, each.identity)
  for (const each of inventory.comments) {
    add('comment', `on ${each.kind} ${canonical(each.identity).replaceAll(' . ', '.')}`, { text: each.text })
  }
  return found
}

type Add = (kind: string, identity: string, facets?: Readonly<Record<string, string>>, owner?: string | null) => void

function describeTable(table: Table, inventory: Inventory, addTo: Add): void {
  const name = tableKey(table.name)
  const add: Add = (kind, identity, facets) => addTo(kind, identity, facets, `table ${name}`)
  addTo('table', name, {
    kind: table.kind,
    persistence: table.persistence,
    'partition key': table.partitionKey ?? 'none',
    'partition of': table.partitionOf ? `${tableKey(table.partitionOf.parent)} ${table.partitionOf.bound}` : 'none',
    inheritance: table.inherits.map(tableKey).join(', ') || 'none',
    'storage parameters': [...table.options].sort().join(', ') || 'none',
    tablespace: table.tablespace ?? 'default',
    'access method': table.accessMethod ?? 'heap',
    'replica identity': identityFacet(table),
    'row security': `${table.rowSecurity ? 'on' : 'off'}${table.forceRowSecurity ? ', forced' : ''}`,
    'composite type': table.ofType ?? 'none',
  })
  for (const column of table.columns) add('column', `${name}.${column.name}`, columnFacets(table, column, inventory))
  for (const each of table.constraints) {
    if (each.kind === 'notNull') {
      add('not-null constraint', `${each.name} on ${name}`, { definition: canonical(each.definition) })
      continue
    }
    add('constraint', `${each.name} on ${name}`, {
      definition: canonical(each.definition.replace(/ NOT VALID$/, '')),
      validated: String(each.valid),
      enforced: String(each.enforced),
    })
  }
  for (const each of table.indexes) describeIndex(each, name, add)
  for (const each of table.triggers) {
    add('trigger', `${each.name} on ${name}`, { definition: canonical(each.definition), enabled: each.enabled })
  }
  for (const each of table.rules)
    add('rule', `${each.name} on ${name}`, { definition: canonical(each.definition), enabled: each.enabled })
  for (const each of table.policies) {
    add('policy', `${each.name} on ${name}`, {
      command: `${each.permissive ? 'permissive' : 'restrictive'} ${each.command}`,
      roles: each.roles.join(', '),
      using: canonical(each.using ?? ''),
      check: canonical(each.check ?? ''),
    })
  }
}

/** Full is what Crossfade itself sets on tables without a key while it follows them, so it is no difference there. */
function identityFacet(table: Table): string {
  const identity = table.replicaIdentity
  if (identity.kind === 'index') return `index ${identity.index}`
  if (identity.kind === 'full' && !table.indexes.some((index) => index.primary)) return 'default'
  return identity.kind
}

function columnFacets(table: Table, column: Column, inventory: Inventory): Record<string, string> {
  const root = table.root && inventory.tables.find((each) => tableKey(each.name) === tableKey(table.root!))
  const identity = root ? root.columns.find((each) => each.name === column.name)?.identity : column.identity
  return {
    type: column.type,
    'not null': String(column.notNull),
    default: canonical(column.default ?? 'none'),
    generated: column.generated ? `${column.generated.kind} ${canonical(column.generated.expression)}` : 'no',
    identity: identity ?? 'no',
    collation: column.collation ?? 'default',
    storage: column.storage ?? 'default',
    compression: column.compression ?? 'default',
    'statistics target': String(column.statisticsTarget ?? 'default'),
    options: column.options.join(', ') || 'none',
  }
}

function describeIndex(index: Index, owner: string, add: Add): void {
  add('index', `${index.schema}.${index.name}`, {
    table: owner,
    definition: canonical(index.definition),
    valid: String(index.valid),
    'clustered on': String(index.clustered),
  })
}

function describeView(view: View, addTo: Add): void {
  const name = tableKey(view.name)
  const kind = view.kind === 'view' ? 'view' : 'materialized view'
  const add: Add = (part, identity, facets) => addTo(part, identity, facets, `${kind} ${name}`)
  addTo(kind, name, {
    columns: view.columns.map((column) => `${column.name} ${column.type}`).join(', '),
    defaults: view.columns.flatMap((column) => column.default ?? []).join(', ') || 'none',
    options: [...view.options].sort().join(', ') || 'none',
    populated: String(view.populated),
    query: canonical(view.query),
  })
  for (const each of view.indexes) describeIndex(each, name, add)
  for (const each of view.triggers)
    add('trigger', `${each.name} on ${name}`, { definition: canonical(each.definition), enabled: each.enabled })
  for (const each of view.rules)
    add('rule', `${each.name} on ${name}`, { definition: canonical(each.definition), enabled: each.enabled })
}

function typeFacets(type: UserType): Record<string, string> {
  switch (type.kind) {
    case 'enum':
      return { labels: type.labels.join(', ') }
    case 'domain':
      return {
        base: `${type.base} ${type.collation ?? ''}`.trim(),
        'not null': String(type.notNull),
        default: canonical(type.default ?? 'none'),
        constraints: type.constraints.map((each) => `${each.name} ${canonical(each.definition)}`).join(', ') || 'none',
      }
    case 'composite':
      return {
        attributes: type.attributes
          .map((each) => `${each.name} ${each.type} ${each.collation ?? ''}`.trim())
          .join(', '),
      }
    case 'range':
      return {
        subtype: `${type.subtype} ${type.operatorClass ?? ''} ${type.collation ?? ''}`.trim(),
        canonical: type.canonical ?? 'none',
        difference: type.subtypeDiff ?? 'none',
        multirange: type.multirange ? tableKey(type.multirange) : 'none',
      }
    case 'base':
      return {}
  }
}
