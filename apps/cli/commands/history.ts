import type { JournalEntry } from '@crossfade/engine/contract.ts'
import { InvalidArgumentError } from 'commander'
import { printJson, printText } from '../terminal/output.ts'
import { colour } from '../terminal/style.ts'
import type { Register } from './command.ts'
import { chosenMigration, type MigrationOptions, withCrossfade, withMigration } from './context.ts'

const entriesMax = 1000

export const registerHistory: Register = (program) => {
  withMigration(
    program
      .command('history')
      .summary('show every decision and transition')
      .description('Shows the journal of a migration: who decided what, and what came of it. Oldest first.')
      .option('-n, --limit <count>', `how many of the latest entries, at most ${entriesMax}`, limitOption, 50),
    'crossfade history --limit 20',
  ).action(async (options: MigrationOptions & { limit: number }) => {
    await withCrossfade(options, async ({ service }) => {
      const id = await chosenMigration(service, options.migration)
      const entries = [...(await service.history(id, { limit: options.limit }))].reverse()
      if (options.json) printJson(entries)
      else printText(entries.map(entryText).join('\n'))
    })
  })
}

function entryText(entry: JournalEntry): string {
  return `${colour.dim(entry.at)}  ${String(entry.version).padStart(4)}  ${entry.summary}  ${colour.dim(entry.actor)}`
}

function limitOption(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit > 0 && limit <= entriesMax) return limit
  throw new InvalidArgumentError(`Give a number from 1 to ${entriesMax}.`)
}
