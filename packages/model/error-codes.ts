import { catalogErrors } from './catalog-errors.ts'
import { databaseErrors } from './database-errors.ts'
import { databaseFindings } from './database-findings.ts'
import { instanceErrors } from './instance-errors.ts'
import { movementErrors } from './movement-errors.ts'
import { operationErrors } from './operation-errors.ts'
import { planErrors } from './plan-errors.ts'
import { processErrors } from './process-errors.ts'
import { upstreamErrors } from './upstream-errors.ts'
import { vaultErrors } from './vault-errors.ts'

/**
 * Every coded failure and finding of Crossfade. These files *are* the documentation: `docs/reference/errors.md` is generated from them.
 *
 * Ranges: CF1xxx plan and configuration · CF2xxx the user's databases (findings and connection troubles) · CF3xxx copying and following changes ·
 * CF4xxx verification · CF5xxx cutover, fences and the way back · CF6xxx engine, leases and control database · CF7xxx API, CLI and client · CF8xxx embedded PostgreSQL · CF9xxx our bugs.
 * Of the MCP platform: CF10xxx catalog · CF11xxx vault · CF12xxx instances, tokens, accounts and their database · CF13xxx tools and upstreams · CF14xxx edge, workers and processes.
 */
export const errorDefinitions = {
  ...planErrors,
  ...databaseFindings,
  ...databaseErrors,
  ...movementErrors,
  ...operationErrors,
  ...catalogErrors,
  ...vaultErrors,
  ...instanceErrors,
  ...upstreamErrors,
  ...processErrors,
} as const

export type ErrorCode = keyof typeof errorDefinitions
