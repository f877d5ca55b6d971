import { systemClock } from '@crossfade/model/clock.ts'
import type { Mismatch, VerificationReport } from '@crossfade/model/mismatch.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { formatBytes, formatCount } from '@crossfade/plan/quantity.ts'
import { textTable } from '@crossfade/plan/text-table.ts'
import { exitCodes } from '../terminal/exit-codes.ts'
import { interruption } from '../terminal/interrupt.ts'
import { printJson, printText } from '../terminal/output.ts'
import { progressDisplay } from '../terminal/progress.ts'
import { colour } from '../terminal/style.ts'
import type { Register } from './command.ts'
import { asker, chosenMigration, type MigrationOptions, withCrossfade, withMigration } from './context.ts'

const lookMs = 500
/** Rows that are printed; `--json` gives all that the report kept. */
const mismatchesShownMax = 50

export const registerVerify: Register = (program, end) => {
  withMigration(
    program
      .command('verify')
      .summary('compare every row of both sides')
      .description(
        'Compares every row of both sides while they are in use, names each row that differs, and exits with 1 when there is one.',
      )
      .option('--repair', 'make the side without authority equal, and compare again'),
    'crossfade verify --repair',
  ).action(async (options: MigrationOptions & { repair?: boolean }) => {
    await withCrossfade(options, async (crossfade) => {
      const { service } = crossfade
      const id = await chosenMigration(service, options.migration)
      const reportId = await service.verify(id, asker(), { repair: options.repair === true })
      await crossfade.work()
      const display = options.json ? null : progressDisplay()
      let report = await service.report(id, reportId)
      while (report.finishedAt === null && !interruption.aborted) {
        await systemClock.sleep(lookMs)
        report = await service.report(id, reportId)
        const { verification } = await service.get(id)
        const line = verification.running
          ? `verified ${formatCount(verification.running.rowsDone)} rows, ${verification.running.rangesDone} of ${verification.running.rangesTotal} ranges`
          : 'verifying'
        display?.show(`  ${line}`, line)
      }
      display?.close()
      const mismatches = await service.mismatches(id, { reportId })
      if (options.json) printJson({ ...report, found: mismatches })
      else printText(reportText(report, mismatches))
      if (report.finishedAt === null) return end(exitCodes.interrupted)
      end(report.mismatches > report.repaired ? exitCodes.failure : exitCodes.fine)
    })
  })
}

function reportText(report: VerificationReport, mismatches: readonly Mismatch[]): string {
  const tables = textTable(
    ['table', 'rows', 'size', 'digest', 'rechecks', 'mismatches'],
    report.tables.map((table) => [
      tableKey(table.table),
      formatCount(table.rows),
      formatBytes(table.bytes),
      table.digest.slice(0, 16),
      formatCount(table.rechecks),
      table.mismatchCount === 0 ? '' : formatCount(table.mismatchCount),
    ]),
    [1, 2, 4, 5],
  )
  const rows = mismatches.slice(0, mismatchesShownMax).map(mismatchText)
  const more =
    mismatches.length > rows.length
      ? [`  … and ${formatCount(mismatches.length - rows.length)} more (--json gives them)`]
      : []
  const open = report.mismatches - report.repaired
  const repaired = report.repaired > 0 ? `, ${formatCount(report.repaired)} repaired` : ''
  const verdict =
    report.finishedAt === null
      ? colour.yellow('Interrupted; it goes on as soon as a worker runs.')
      : open > 0
        ? colour.red(`${formatCount(open)} rows differ${repaired}. Make them equal: crossfade verify --repair`)
        : colour.green(`Equal: ${formatCount(report.rows)} rows${repaired}`)
  return [tables, ...(rows.length > 0 ? ['', ...rows, ...more] : []), '', verdict].join('\n')
}

/** `different public.users id=7 (source/a, target/1): email 'a' → 'b'`. */
function mismatchText(mismatch: Mismatch): string {
  const key = Object.entries(mismatch.key)
    .map(([column, value]) => `${column}=${value ?? 'NULL'}`)
    .join(' ')
  const columns = mismatch.columns
    .map(({ column, source, target }) => `${column} ${quote(source)} ≠ ${quote(target)}`)
    .join(', ')
  const where = [mismatch.source, mismatch.target].filter((shard) => shard !== null).join(', ')
  return `  ${colour.red(mismatch.kind.padEnd(10))} ${tableKey(mismatch.table)} ${key} (${where})${columns === '' ? '' : `: ${columns}`}`
}

function quote(value: string | null): string {
  if (value === null) return 'NULL'
  return `'${value.length > 60 ? `${value.slice(0, 59)}…` : value}'`
}
