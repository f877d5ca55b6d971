import { stringify } from 'yaml'
import type { Draft } from './draft.ts'
import { formatBytes, formatCount } from './quantity.ts'
import type { ShardKey, TopologySpec } from './schema.ts'

/** Name of the environment variable for a shard that the plan does not spell out. */
export function variableOf(side: 'source' | 'target', shard: string | null): string {
  return shard === null
    ? `${side.toUpperCase()}_URL`
    : `${side.toUpperCase()}_${shard.toUpperCase().replaceAll('-', '_')}_URL`
}

/** The plan as a TypeScript program, with comments that say what was seen and what to check. */
export function draftAsTypeScript(draft: Draft): string {
  const isTargetSplit = draft.targets > 1
  const usesVia = draft.shardKeys.some(({ key }) => typeof key === 'object')
  const sourceTopology = draft.sources.length > 1 ? topologyCode(draft.sourceTopology) : null
  const imports = [
    'definePlan',
    'env',
    ...(isTargetSplit || sourceTopology?.startsWith('hash') ? ['hash'] : []),
    ...(sourceTopology?.startsWith('ranges') ? ['ranges'] : []),
    ...(usesVia ? ['via'] : []),
  ]
  const isSplit = draft.sources.length > 1 || isTargetSplit
  return `${[
    ...header(draft).map((line) => `// ${line}`),
    `import { ${imports.join(', ')} } from '@crossfade/plan/define.ts'`,
    '',
    'export default definePlan({',
    `  name: ${text(draft.name)},`,
    ...sourceCode(draft, sourceTopology),
    ...targetCode(draft),
    ...(isSplit || draft.exclude.length > 0 ? ['  tables: {', ...tablesCode(draft, isSplit), '  },'] : []),
    ...notes(draft).flatMap((line) => [`  // ${line}`]),
    '  // Everything else has a default that is good for most: gates, throttle, windows, cutover, verification, backup.',
    '})',
  ].join('\n')}\n`
}

/** The same as YAML. */
export function draftAsYaml(draft: Draft): string {
  const only = draft.sources.length === 1
  const tables = {
    ...(draft.shardKey === null ? {} : { shardKey: draft.shardKey }),
    ...(draft.shardKeys.length === 0
      ? {}
      : { shardKeys: Object.fromEntries(draft.shardKeys.map(({ table, key }) => [table, key])) }),
    ...(draft.reference.length === 0 ? {} : { reference: draft.reference.map(({ table }) => table) }),
    ...(draft.exclude.length === 0 ? {} : { exclude: draft.exclude.map(({ table }) => table) }),
  }
  const connection = (url: string | null, variable: string) => url ?? { env: variable }
  const source = only
    ? connection(draft.sources[0]!.url, variableOf('source', null))
    : {
        shards: Object.fromEntries(
          draft.sources.map(({ name, url }) => [name, connection(url, variableOf('source', name))]),
        ),
        topology: draft.sourceTopology ?? { hash: { buckets: 1024 } },
      }
  const target =
    draft.targets === 1
      ? { env: variableOf('target', null) }
      : {
          shards: Object.fromEntries(targetNames(draft).map((name) => [name, { env: variableOf('target', name) }])),
          topology: { hash: { buckets: 1024 } },
        }
  const plan = { name: draft.name, source, target, ...(Object.keys(tables).length === 0 ? {} : { tables }) }
  const comments = [...header(draft), ...whys(draft), ...notes(draft)]
  return `${comments.map((line) => `# ${line}`).join('\n')}\n${stringify(plan)}`
}

function header(draft: Draft): string[] {
  return [
    `Written by \`crossfade init\`: ${formatCount(draft.tables)} tables, about ${formatCount(draft.rows)} rows, ${formatBytes(draft.bytes)} on ${draft.sources.length === 1 ? 'one database' : `each of ${draft.sources.length} shards like the first`}.`,
    'Read it, then: crossfade doctor, crossfade plan, crossfade apply.',
  ]
}

function sourceCode(draft: Draft, topology: string | null): string[] {
  const [first] = draft.sources
  const connection = (url: string | null, variable: string) => (url === null ? `env(${text(variable)})` : text(url))
  if (draft.sources.length === 1) return [`  source: ${connection(first!.url, variableOf('source', null))},`]
  return [
    '  source: {',
    '    shards: {',
    ...draft.sources.map(({ name, url }) => `      ${property(name)}: ${connection(url, variableOf('source', name))},`),
    '    },',
    ...(draft.sourceTopology === null
      ? [
          '    // No rule was found that explains which keys live on which shard. Write yours: hash, ranges or directory.',
        ]
      : ['    // Explains every key that was found; check it against the program that places the keys.']),
    `    topology: ${topology},`,
    '  },',
  ]
}

function targetCode(draft: Draft): string[] {
  if (draft.targets === 1) return [`  target: env(${text(variableOf('target', null))}),`]
  return [
    '  target: {',
    '    shards: {',
    ...targetNames(draft).map((name) => `      ${property(name)}: env(${text(variableOf('target', name))}),`),
    '    },',
    '    topology: hash({ buckets: 1024 }),',
    '  },',
  ]
}

function tablesCode(draft: Draft, isSplit: boolean): string[] {
  const lines: string[] = []
  if (draft.shardKey !== null) {
    lines.push(
      '    // Wherever a table has this column, it is the shard key.',
      `    shardKey: ${text(draft.shardKey)},`,
    )
  } else if (isSplit) {
    lines.push('    // No column was found that could be the shard key. Name it:', "    // shardKey: 'tenant_id',")
  }
  if (draft.shardKeys.length > 0) {
    lines.push('    shardKeys: {')
    for (const { table, key, why } of draft.shardKeys)
      lines.push(`      ${property(table)}: ${keyCode(key)}, // ${why}`)
    lines.push('    },')
  }
  if (draft.reference.length > 0) {
    lines.push('    // The same rows on every shard.', '    reference: [')
    for (const { table, why } of draft.reference) lines.push(`      ${text(table)}, // ${why}`)
    lines.push('    ],')
  }
  if (draft.exclude.length > 0) {
    lines.push('    exclude: [')
    for (const { table, why } of draft.exclude) lines.push(`      ${text(table)}, // ${why}`)
    lines.push('    ],')
  }
  return lines
}

function whys(draft: Draft): string[] {
  return [...draft.shardKeys, ...draft.reference, ...draft.exclude].map(({ table, why }) => `${table}: ${why}.`)
}

function notes(draft: Draft): string[] {
  if (draft.withoutKey.length === 0) return []
  return [`Without primary key or unique not-null columns, told apart as whole rows: ${draft.withoutKey.join(', ')}.`]
}

function topologyCode(topology: TopologySpec | null): string {
  if (topology === null) return 'hash({ buckets: 1024 })'
  if ('ranges' in topology) {
    const list = topology.ranges.map(
      ({ shard, below }) => `{ shard: ${text(shard)}${below === undefined ? '' : `, below: ${text(below)}`} }`,
    )
    return `ranges([${list.join(', ')}]${topology.order === 'text' ? ", { order: 'text' }" : ''})`
  }
  if ('hash' in topology) {
    const owners = Object.entries(topology.hash.owners ?? {}).map(
      ([shard, owned]) => `${property(shard)}: ${JSON.stringify(owned)}`,
    )
    return `hash({ buckets: ${topology.hash.buckets}${owners.length === 0 ? '' : `, owners: { ${owners.join(', ')} }`} })`
  }
  return `directory(${JSON.stringify(topology.directory)})`
}

function keyCode(key: ShardKey): string {
  if (typeof key === 'string') return text(key)
  if ('column' in key) return text(key.column)
  return `via(${[key.via, key.parent, ...(key.parentColumn === undefined ? [] : [key.parentColumn])].map(text).join(', ')})`
}

function targetNames(draft: Draft): string[] {
  return Array.from({ length: draft.targets }, (_, index) => String(index))
}

const text = (value: string) => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const property = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : text(name))
