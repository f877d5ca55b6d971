import { systemClock } from '@crossfade/model/clock.ts'
import { exitCodes } from '../terminal/exit-codes.ts'
import { interruption } from '../terminal/interrupt.ts'
import { migrationsText, migrationText } from '../terminal/migration-text.ts'
import { printJson, printNote, printText } from '../terminal/output.ts'
import { progressDisplay } from '../terminal/progress.ts'
import type { Register } from './command.ts'
import { chosenMigration, isOver, type MigrationOptions, withCrossfade, withMigration } from './context.ts'

const watchMs = 1000

export const registerStatus: Register = (program, end) => {
  withMigration(
    program
      .command('status')
      .summary('show where migrations stand')
      .description(
        'Shows where the migration stands: stage, copy, streams, verification, gates, and what keeps it. All migrations with --all.',
      )
      .option('-w, --watch', 'keep showing it until it is over or you press Ctrl-C')
      .option('-a, --all', 'a line for each migration, those that are over too'),
    'crossfade status --watch',
  ).action(async (options: MigrationOptions & { watch?: boolean; all?: boolean }) => {
    await withCrossfade(options, async ({ service }) => {
      const all = await service.list()
      if (all.length === 0 && options.migration === undefined) {
        if (options.json) printJson([])
        else printNote('No migration yet. Start one: crossfade apply PLAN')
        return
      }
      const active = all.filter((migration) => !isOver(migration))
      if (options.all || (options.migration === undefined && active.length > 1)) {
        if (options.json) printJson(all)
        else printText(migrationsText(all))
        return
      }
      const id = await chosenMigration(service, options.migration)
      const detail = await service.get(id)
      if (!options.watch || options.json) {
        if (options.json) printJson(detail)
        else printText(migrationText(detail, process.stdout.columns ?? 100))
        return end(detail.status === 'stopped' ? exitCodes.failure : exitCodes.fine)
      }
      const display = progressDisplay(process.stdout)
      try {
        for (;;) {
          const now = await service.get(id)
          display.show(
            migrationText(now, display.width),
            `${now.name} ${now.stage} ${now.status} copied ${Math.floor(now.copied * 100)} %`,
          )
          if (isOver(now) || interruption.aborted) return
          await systemClock.sleep(watchMs)
        }
      } finally {
        display.close()
      }
    })
  })
}
