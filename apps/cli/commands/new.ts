import { basename, join } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import type { CatalogTable } from '@crossfade/pipeline/catalog.ts'
import { isMovable } from '@crossfade/plan/selection.ts'
import { findTable } from '@crossfade/plan/table-pattern.ts'
import { textTable } from '@crossfade/plan/text-table.ts'
import { Argument } from 'commander'
import { printJson, printNote, printText } from '../terminal/output.ts'
import { writeNewFile } from '../terminal/write-new-file.ts'
import { type CommonOptions, common, type Register } from './command.ts'

const kinds = ['plan', 'transform', 'scenario'] as const

interface NewOptions extends CommonOptions {
  readonly from?: string
  readonly table?: string
  readonly list?: boolean
  readonly force?: boolean
}

export const registerNew: Register = (program) => {
  common(
    program
      .command('new')
      .summary('write a new plan, transform or scenario to start from')
      .description(
        'Writes a plan, a transform or a scenario to start from. With --from it is made for the tables of a live database.',
      )
      .addArgument(new Argument('<kind>', 'what to write').choices(kinds))
      .argument('[name]', 'its name; a letter, then letters and digits')
      .option('--from <url>', 'a live database to take tables from')
      .option('--table <table>', 'the table that a transform is for')
      .option('--list', 'with transform: list those that come with Crossfade')
      .option('-f, --force', 'overwrite files'),
    'crossfade new transform hideEmails --from postgres://app@db/app --table users',
  ).action(async (kind: (typeof kinds)[number], name: string | undefined, options: NewOptions) => {
    if (kind === 'transform' && options.list) {
      const { listTransformers } = await import('@crossfade/plan/generate.ts')
      const transformers = listTransformers()
      if (options.json) return printJson(transformers)
      return printText(
        textTable(
          ['name', 'what it does', 'options'],
          transformers.map((one) => [one.name, one.summary, one.options.join(', ')]),
        ),
      )
    }
    if (name === undefined || !/^[A-Za-z][\w-]*$/.test(name)) {
      throw fail('CF7007', { option: 'name', reason: 'give a letter, then letters, digits, - or _', command: 'new' })
    }
    const files = await newFiles(kind, name, options)
    for (const { path, text } of files) writeNewFile(path, text, options.force === true)
    if (options.json) printJson({ files: files.map(({ path }) => path) })
    else printNote(`Wrote ${files.map(({ path }) => path).join(', ')}`)
  })
}

async function newFiles(
  kind: (typeof kinds)[number],
  name: string,
  options: NewOptions,
): Promise<readonly { path: string; text: string }[]> {
  const { newPlan, newScenario, newTransform } = await import('@crossfade/plan/generate.ts')
  if (kind === 'plan')
    return [{ path: `${basename(name)}.plan.ts`, text: newPlan(name.toLowerCase().replaceAll('_', '-')) }]
  const tables = options.from === undefined ? [] : await tablesOf(options.from)
  if (kind === 'scenario')
    return newScenario(name, tables).map(({ path, text }) => ({ path: join('scenarios', name, path), text }))
  const table = options.table === undefined ? null : findTable(tables, options.table)
  if (table === undefined) throw fail('CF1010', { table: options.table, place: '--table' })
  return [
    {
      path: `${name}.transform.ts`,
      text: newTransform(
        name.replace(/-+(.)/g, (_, letter: string) => letter.toUpperCase()),
        table,
      ),
    },
  ]
}

async function tablesOf(url: string): Promise<readonly CatalogTable[]> {
  const { postgresCatalogs } = await import('@crossfade/postgres/source/catalog.ts')
  const session = await postgresCatalogs.open({ id: asShardId('source/main'), url, secret: null })
  try {
    return (await session.tables()).filter((table) => isMovable(table) && table.kind !== 'foreign')
  } finally {
    await session.close()
  }
}
