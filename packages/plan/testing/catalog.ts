import type { CatalogColumn, CatalogForeignKey, CatalogTable } from '@crossfade/pipeline/catalog.ts'

interface TestTable {
  /** `name type` or `name type not null`. */
  readonly columns: readonly string[]
  readonly schema?: string
  readonly primaryKey?: readonly string[]
  readonly uniqueKeys?: CatalogTable['uniqueKeys']
  /** `column → parent.column`. */
  readonly foreignKeys?: readonly string[]
  readonly more?: Partial<CatalogTable>
}

/** A table as a catalog would describe it, for tests of what is pure. */
export function catalogTable(name: string, table: TestTable): CatalogTable {
  const schema = table.schema ?? 'public'
  return {
    name: { schema, name },
    kind: 'table',
    persistence: 'permanent',
    partitionOf: null,
    leaves: [],
    inherits: [],
    columns: table.columns.map(column),
    primaryKey: table.primaryKey ?? null,
    uniqueKeys: table.uniqueKeys ?? [],
    replicaIdentity: 'default',
    replicaIndex: null,
    foreignKeys: (table.foreignKeys ?? []).map((text) => foreignKey(text, schema)),
    rows: 100,
    heapBytes: 8192,
    toastBytes: 0,
    indexBytes: 8192,
    indexCount: 1,
    pages: 1,
    owner: 'app',
    owned: true,
    canSelect: true,
    rowSecurity: false,
    extension: null,
    ...table.more,
  }
}

function column(text: string): CatalogColumn {
  const [name, ...type] = text.replace(/ not null$/, '').split(' ')
  return {
    name: name!,
    type: type.join(' '),
    notNull: text.endsWith(' not null'),
    generated: null,
    identity: null,
    portable: true,
    obstacle: null,
    extension: null,
  }
}

function foreignKey(text: string, schema: string): CatalogForeignKey {
  const [from, to] = text.split(' → ') as [string, string]
  const [parent, parentColumn] = to.split('.') as [string, string]
  return { name: `${from}_fkey`, columns: [from], parent: { schema, name: parent }, parentColumns: [parentColumn] }
}
