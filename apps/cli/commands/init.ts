import { InvalidArgumentError } from 'commander'
import { printJson, printNote, printText } from '../terminal/output.ts'
import { writeNewFile } from '../terminal/write-new-file.ts'
import { type CommonOptions, common, type Register } from './command.ts'

interface InitOptions extends CommonOptions {
  readonly name?: string
  readonly targets: number
  readonly out?: string
  readonly yaml?: boolean
  readonly force?: boolean
}

export const registerInit: Register = (program) => {
  common(
    program
      .command('init')
      .summary('look at a database or at shards, and write a plan')
      .description(
        'Looks at a database, or at several as shards, and writes a commented plan for it. Passwords in the URLs are used and never written.',
      )
      .argument('<url...>', 'the source database; several are shards')
      .option('--name <name>', 'name of the plan')
      .option('--targets <count>', 'how many target databases', countOption, 1)
      .option('-o, --out <file>', 'where to write; - is standard output (default: NAME.plan.ts)')
      .option('--yaml', 'write YAML in place of TypeScript')
      .option('-f, --force', 'overwrite the file'),
    'crossfade init postgres://app@db-a/app postgres://app@db-b/app --targets 4',
  ).action(async (urls: string[], options: InitOptions) => {
    const { draftAsTypeScript, draftAsYaml, variableOf } = await import('@crossfade/plan/draft-text.ts')
    const { inspect } = await import('@crossfade/plan/init.ts')
    const { postgresCatalogs } = await import('@crossfade/postgres/source/catalog.ts')
    const draft = await inspect({ urls, targets: options.targets, name: options.name }, postgresCatalogs)
    const asYaml = options.yaml || /\.ya?ml$/.test(options.out ?? '')
    const text = asYaml ? draftAsYaml(draft) : draftAsTypeScript(draft)
    const path = options.out ?? `${draft.name}.plan.${asYaml ? 'yaml' : 'ts'}`
    if (options.json) printJson({ draft, plan: text, path: path === '-' ? null : path })
    if (path === '-') {
      if (!options.json) printText(text.trimEnd())
      return
    }
    writeNewFile(path, text, options.force === true)
    if (options.json) return
    const wanted = [
      ...draft.sources.flatMap(({ name, url }) =>
        url === null ? [variableOf('source', draft.sources.length === 1 ? null : name)] : [],
      ),
      ...(draft.targets === 1
        ? [variableOf('target', null)]
        : Array.from({ length: draft.targets }, (_, index) => variableOf('target', String(index)))),
    ]
    printNote(
      `Wrote ${path}. Next:\n  export ${wanted.map((name) => `${name}=…`).join(' ')}\n  crossfade doctor ${path}`,
    )
  })
}

function countOption(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 1024) return count
  throw new InvalidArgumentError('Give a number from 1 to 1024.')
}
