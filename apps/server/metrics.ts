import type { MigrationService } from '@crossfade/engine/contract.ts'
import { rung } from '@crossfade/model/stage.ts'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
  observeRequest(route: string, method: string, status: number, milliseconds: number): void
}

/**
 * Prometheus metrics. What belongs to migrations is read from the service when it is scraped, so every server shows the same;
 * what belongs to this process is counted here.
 */
export function createMetrics(service: MigrationService): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'crossfade_' })
  const requests = new Histogram({
    name: 'crossfade_http_request_duration_seconds',
    help: 'Time to answer a request of the API.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  })
  const failures = new Counter({
    name: 'crossfade_scrape_failures_total',
    help: 'Scrapes that could not read the control database.',
    registers: [registry],
  })
  const gauge = (name: string, help: string, labelNames: string[]) =>
    new Gauge({ name: `crossfade_${name}`, help, labelNames, registers: [registry] })
  const perMigration = {
    stage: gauge('migration_stage', 'Rung of the ladder, 0 (off) to 5 (complete).', ['migration', 'name']),
    desired: gauge('migration_desired_stage', 'Rung that was asked for.', ['migration', 'name']),
    stopped: gauge('migration_stopped', '1 while a failure needs a person.', ['migration', 'name']),
    copied: gauge('migration_copied_ratio', 'Share of the bytes that are copied.', ['migration', 'name']),
    mismatches: gauge('migration_open_mismatches', 'Differences that are open now.', ['migration', 'name']),
    touched: gauge('migration_touched_keys', 'Keys changed and not yet compared again.', ['migration', 'name']),
    throttled: gauge('migration_throttle_paused', '1 while the throttle holds the copy.', ['migration', 'name']),
    copyRate: gauge('migration_copy_bytes_per_second', 'Rate of the copy.', ['migration', 'name']),
    lag: gauge('stream_lag_seconds', 'Age of the oldest change not yet applied.', [
      'migration',
      'name',
      'shard',
      'direction',
    ]),
    lagBytes: gauge('stream_lag_bytes', 'Log between what was received and what is applied.', [
      'migration',
      'name',
      'shard',
      'direction',
    ]),
    rows: gauge('stream_rows_applied', 'Rows applied since the stream began.', [
      'migration',
      'name',
      'shard',
      'direction',
    ]),
    wal: gauge('shard_wal_held_bytes', 'Log that a slot of ours holds back.', ['migration', 'name', 'shard']),
    reachable: gauge('shard_reachable', '1 while the database answers.', ['migration', 'name', 'shard']),
    pause: gauge('cutover_pause_seconds', 'Write pause of the latest cutover.', ['migration', 'name']),
  }
  const workers = gauge('workers_alive', 'Processes that take work.', [])

  async function collect(): Promise<void> {
    for (const one of Object.values(perMigration)) one.reset()
    for (const summary of await service.list()) {
      const migration = await service.get(summary.id)
      const labels = { migration: migration.id, name: migration.name }
      perMigration.stage.set(labels, rung(migration.stage))
      perMigration.desired.set(labels, rung(migration.desiredStage))
      perMigration.stopped.set(labels, migration.status === 'stopped' ? 1 : 0)
      perMigration.copied.set(labels, migration.copied)
      perMigration.mismatches.set(labels, migration.openMismatches)
      perMigration.touched.set(labels, migration.verification.touched)
      perMigration.throttled.set(labels, migration.throttle.state === 'paused' ? 1 : 0)
      perMigration.copyRate.set(labels, migration.copy.bytesPerSecond)
      for (const stream of migration.streams) {
        const ofStream = { ...labels, shard: stream.shard, direction: stream.direction }
        if (stream.lagMs !== null) perMigration.lag.set(ofStream, stream.lagMs / 1000)
        if (stream.lagBytes !== null) perMigration.lagBytes.set(ofStream, stream.lagBytes)
        perMigration.rows.set(ofStream, stream.rowsApplied)
      }
      for (const shard of migration.shards) {
        if (shard.walHeldBytes !== null) perMigration.wal.set({ ...labels, shard: shard.shard }, shard.walHeldBytes)
        if (shard.reachable !== null)
          perMigration.reachable.set({ ...labels, shard: shard.shard }, shard.reachable ? 1 : 0)
      }
      const latest = migration.cutovers.findLast((cutover) => cutover.pauseMs !== null)
      if (latest) perMigration.pause.set(labels, latest.pauseMs! / 1000)
    }
    workers.set((await service.workers()).filter((worker) => worker.alive).length)
  }

  return {
    contentType: registry.contentType,
    text: async () => {
      // A scrape must answer when the control database does not: that is when it is needed most.
      await collect().catch(() => failures.inc())
      return registry.metrics()
    },
    observeRequest: (route, method, status, milliseconds) => {
      requests.observe({ route, method, status: String(status) }, milliseconds / 1000)
    },
  }
}
