import { useState } from 'react'
import type { MigrationDetail } from '../api/contract.ts'
import { bytes, count } from '../words.ts'
import { Card, Figure, TableFilter } from './basics.tsx'

type Route = MigrationDetail['plan']['tables'][number]['route']

/** The resolved plan: what moves, how its rows are routed, and where. */
export function PlanPanel({ migration }: { migration: MigrationDetail }) {
  const { plan } = migration
  const [filter, setFilter] = useState('')
  const tables = plan.tables.filter(({ source }) => `${source.schema}.${source.name}`.includes(filter))
  return (
    <>
      <div className="figures">
        <Figure label="digest" value={<code>{plan.digest.slice(0, 12)}</code>} hint="of everything the plan says" />
        <Figure
          label="rows"
          value={count(plan.tables.reduce((sum, table) => sum + table.estimate.rows, 0))}
          hint="estimated"
        />
        <Figure
          label="data"
          value={bytes(plan.tables.reduce((sum, table) => sum + table.estimate.bytes, 0))}
          hint="estimated"
        />
        <Figure
          label="on DDL at the source"
          value={plan.schema.ddl}
          hint={plan.schema.ddl === 'stop' ? 'stop with a finding' : 'apply it to the target'}
        />
      </div>
      <Card title="Shards" flush>
        <div className="scroll-x">
          <table className="list">
            <thead>
              <tr>
                <th>shard</th>
                <th>where</th>
                <th>keys</th>
                <th className="number">PostgreSQL</th>
              </tr>
            </thead>
            <tbody>
              {[plan.source, plan.target].flatMap((side) =>
                side.shards.map((shard) => (
                  <tr key={shard.id}>
                    <td>
                      <strong>{shard.id}</strong>
                    </td>
                    <td className="name">
                      <code>{shard.url}</code>
                    </td>
                    <td>{keysOf(side.topology, shard.id)}</td>
                    <td className="number">{Math.floor(shard.serverVersion / 10_000)}</td>
                  </tr>
                )),
              )}
            </tbody>
          </table>
        </div>
      </Card>
      <Card
        title="Tables, in order"
        aside={<TableFilter total={plan.tables.length} value={filter} onChange={setFilter} />}
        flush
      >
        <div className="scroll-x">
          <table className="list">
            <thead>
              <tr>
                <th>table</th>
                <th>shard key</th>
                <th>identity</th>
                <th>way</th>
                <th className="number">rows</th>
                <th className="number">data</th>
              </tr>
            </thead>
            <tbody>
              {tables.map((table) => (
                <tr key={`${table.source.schema}.${table.source.name}`}>
                  <td className="name">
                    {table.source.schema}.{table.source.name}
                    {(table.target.name !== table.source.name || table.target.schema !== table.source.schema) &&
                      ` → ${table.target.schema}.${table.target.name}`}
                  </td>
                  <td>{routeText(table.route)}</td>
                  <td>{table.identity.kind === 'key' ? table.identity.columns.join(', ') : 'the whole row'}</td>
                  <td>{table.transform ?? (table.binary ? 'binary' : 'text')}</td>
                  <td className="number">{count(table.estimate.rows)}</td>
                  <td className="number">{bytes(table.estimate.bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
    </>
  )
}

function routeText(route: Route): string {
  switch (route.kind) {
    case 'whole':
      return 'not split'
    case 'reference':
      return 'the same on every shard'
    case 'column':
      return route.column
    case 'parent':
      return `${route.column} → ${route.parent.name}.${routeText(route.then)}`
  }
}

function keysOf(topology: MigrationDetail['plan']['source']['topology'], shard: string): string {
  switch (topology.kind) {
    case 'single':
      return 'all'
    case 'hash':
      return `buckets ${topology.ranges
        .filter((range) => range.shard === shard)
        .map((range) => `${range.from}–${range.to - 1}`)
        .join(', ')} of ${topology.buckets}`
    case 'range':
      return topology.ranges
        .filter((range) => range.shard === shard)
        .map((range) => `${range.from ?? '…'} to ${range.to ?? '…'}`)
        .join(', ')
    case 'directory':
      return `${Object.values(topology.entries).filter((owner) => owner === shard).length} listed keys${topology.otherwise === shard ? ' and all others' : ''}`
  }
}
