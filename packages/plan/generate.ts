import type { CatalogTable } from '@crossfade/pipeline/catalog.ts'
import { quoteIdentifier, quoteTable, writeTableName } from './table-pattern.ts'
import { transformerDefinition, transformerNames } from './transform/transformer.ts'
import './transform/builtin.ts'

/** A plan to start from where no database can be reached. */
export function newPlan(name: string): string {
  return `import { definePlan, env } from '@crossfade/plan/define.ts'

export default definePlan({
  name: '${name}',
  // A URL without password, or where the whole URL is found.
  source: env('SOURCE_URL'),
  target: env('TARGET_URL'),
  tables: {
    include: ['*'],
    exclude: [],
  },
})
`
}

/** Columns whose names say that they hold what should not leave the house as it is. */
const personal = /(e-?mail|phone|mobile|ssn|iban|passport|birth|address)/i
const secret = /(password|secret|token|api_?key|credential)/i

/** A transform of one's own, with its way back; with a table, for that table's columns. */
export function newTransform(name: string, table: CatalogTable | null): string {
  const columns = table?.columns.filter((column) => column.generated === null) ?? []
  const suggestions = table ? suggest(table) : []
  const listed = columns.map((column) => `//   ${column.name}  ${column.type}${column.notNull ? '' : ', may be null'}`)
  return `import { reversible } from '@crossfade/plan/transform/transformer.ts'
${table ? `\n// Columns of ${writeTableName(table.name)}; values are text as PostgreSQL prints them, or null.\n${listed.join('\n')}\n` : ''}${suggestions.map((line) => `// ${line}\n`).join('')}
/**
 * Must be pure: the same row gives the same result on every worker, in copy, changes and verification alike.
 * Use it in the plan: \`tables: { transform: { ${table ? writeTableName(table.name) : 'my_table'}: ${name} } }\`.
 */
export const ${name} = reversible(
  (row) => ({ ...row }),
  (row) => ({ ...row }),
  '${name}',
)
`
}

/** A scenario's folder: path inside it and content. */
export function newScenario(
  name: string,
  tables: readonly CatalogTable[],
): readonly { readonly path: string; readonly text: string }[] {
  const ddl =
    tables.length > 0
      ? tables.map(tableDdl).join('\n')
      : 'CREATE TABLE public.item (id bigint PRIMARY KEY, note text);\n'
  return [
    { path: 'README.md', text: `# ${name}\n\nWhat went wrong or could go wrong, and what must hold.\n` },
    { path: 'source.sql', text: `-- The source before the migration starts.\n${ddl}` },
    { path: 'changes.sql', text: '-- What clients write while the migration is under way, a statement a line.\n' },
    { path: 'expected.sql', text: '-- Queries that must give the same on both sides in the end.\n' },
    {
      path: 'plan.ts',
      text: newPlan(name),
    },
  ]
}

/** All registered transformers, a line each. */
export function listTransformers(): readonly {
  readonly name: string
  readonly summary: string
  readonly options: readonly string[]
}[] {
  return transformerNames().map((name) => {
    const { summary, schema } = transformerDefinition(name)!
    const { properties = {}, required = [] } = schema as { properties?: object; required?: string[] }
    return {
      name,
      summary,
      options: Object.keys(properties).map((option) => (required.includes(option) ? option : `${option}?`)),
    }
  })
}

function suggest(table: CatalogTable): string[] {
  const named = (pattern: RegExp) => table.columns.filter(({ name }) => pattern.test(name)).map(({ name }) => name)
  const local = table.columns
    .filter(({ type }) => /^timestamp(\(\d\))? without time zone$/.test(type))
    .map(({ name }) => name)
  const list = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ')
  return [
    ...(named(personal).length > 0 ? [`Personal by name: maskColumns({ columns: [${list(named(personal))}] })`] : []),
    ...(named(secret).length > 0 ? [`Secret by name: ${named(secret).join(', ')}`] : []),
    ...(local.length > 0
      ? [`Clock times without zone: timestampsToUtc({ columns: [${list(local)}], timezone: 'Europe/Berlin' })`]
      : []),
  ]
}

function tableDdl(table: CatalogTable): string {
  const columns = table.columns.map((column) => {
    const identity =
      column.identity === null ? '' : ` GENERATED ${column.identity === 'always' ? 'ALWAYS' : 'BY DEFAULT'} AS IDENTITY`
    return `  ${quoteIdentifier(column.name)} ${column.type}${column.notNull ? ' NOT NULL' : ''}${identity}`
  })
  const key = table.primaryKey ? [`  PRIMARY KEY (${table.primaryKey.map(quoteIdentifier).join(', ')})`] : []
  return `CREATE TABLE ${quoteTable(table.name)} (\n${[...columns, ...key].join(',\n')}\n);\n`
}
