// packages/mcp-database/migrations/009_populate_service_registry.sql, from the services of the catalog.
import { loadServices } from '@crossfade/catalog/load-services.ts'
import { registryRowsOf, type ServiceRow } from '@crossfade/catalog/registry.ts'
import type { GeneratedFile } from './generators.ts'

const columns: readonly (readonly [column: string, literal: (row: ServiceRow) => string])[] = [
  ['service_type', (row) => text(row.serviceType)],
  ['name', (row) => text(row.name)],
  ['display_name', (row) => text(row.displayName)],
  ['description', (row) => text(row.description)],
  ['icon_url', (row) => (row.iconUrl === null ? 'NULL' : text(row.iconUrl))],
  ['category', (row) => text(row.category)],
  ['port', (row) => String(row.port)],
  ['base_url', (row) => text(row.baseUrl)],
  ['health_check_endpoint', (row) => text(row.healthCheckEndpoint)],
  ['auth_type', (row) => text(row.authType)],
  ['auth_config', (row) => text(JSON.stringify(row.authConfig))],
  ['service_config', (row) => text(JSON.stringify(row.serviceConfig))],
]

/** The migration of the services as they are. */
export function registryMigration(): GeneratedFile {
  const { services } = loadServices()
  const content = registrySql(registryRowsOf(services.map((service) => service.config)))
  return { path: 'packages/mcp-database/migrations/009_populate_service_registry.sql', content }
}

/** Inserts every service and its first health row. Run again it changes nothing: what is there stays. */
export function registrySql(rows: readonly ServiceRow[]): string {
  const names = columns.map(([name]) => name).join(', ')
  const values = rows.map((row) => `  (${columns.map(([, literal]) => literal(row)).join(', ')})`).join(',\n')
  const types = rows.map((row) => text(row.serviceType))
  return `-- Generated from packages/catalog/services by \`npm run generate\`; do not edit.

-- Up Migration
INSERT INTO service_registry (${names}) VALUES
${values}
ON CONFLICT DO NOTHING;

INSERT INTO service_health_status (service_type)
SELECT service_type FROM service_registry
ON CONFLICT DO NOTHING;

-- Down Migration
DELETE FROM service_health_status WHERE service_type IN (
${lines(types)}
);
DELETE FROM service_registry WHERE service_type IN (
${lines(types)}
);
`
}

/** A text in SQL. Backslashes are themselves: servers have had standard_conforming_strings on since 9.1. */
function text(value: string): string {
  return `'${value.replace(/'/g, "''")}'`
}

/** A list that stays readable: eight a line. */
function lines(values: readonly string[]): string {
  const rows: string[] = []
  for (let at = 0; at < values.length; at += 8) rows.push(`  ${values.slice(at, at + 8).join(', ')}`)
  return rows.join(',\n')
}
