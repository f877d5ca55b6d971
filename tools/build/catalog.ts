// Compiles the services into the catalog's snapshot when that is missing or of other sources. Run at set-up, before tests and before serving.
import { buildSnapshot } from '@crossfade/catalog/snapshot/build.ts'

/** Compiles the catalog if it must be. Idempotent; some milliseconds when there is nothing to do. Says what is left out and why. */
export function ensureCatalogBuilt(): void {
  const started = performance.now()
  const { rebuilt, services, operations, findings } = buildSnapshot()
  for (const { message } of findings) process.stderr.write(`crossfade: ${message}\n`)
  if (!rebuilt) return
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stderr.write(`crossfade: compiled ${services} services with ${operations} operations in ${seconds} s\n`)
}

if (process.argv[1] === import.meta.filename) ensureCatalogBuilt()
