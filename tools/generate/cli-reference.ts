// docs/reference/cli.md, from the command line's own definitions.

import type { Command } from 'commander'
import { buildProgram } from 'crossfade/program.ts'
import type { GeneratedFile } from './generators.ts'

/** A page with one section per command, in the order in which help lists them. */
export function cliReference(): GeneratedFile {
  const program = buildProgram(() => undefined)
  const commands = program.commands.flatMap(withAllBelow)
  return { path: 'docs/reference/cli.md', content: `${pageHead}\n${commands.map(section).join('\n')}` }
}

function withAllBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withAllBelow)]
}

const pageHead = `# Command line

<!-- Generated from apps/cli by \`npm run generate\`; do not edit. -->

\`npx crossfade <command>\`. Every command takes \`--json\` (the result as one JSON document on standard output) and \`--help\`. Results go to standard output; progress
and remarks go to standard error, so results can be piped.

| exit code | means |
|---|---|
| 0 | fine |
| 1 | a finding that blocks, a mismatch, or a failure (\`CF1234 sentence\`, and \`→ remedy\`) |
| 2 | the command was not written as it should be |
| 130 | interrupted: what runs elsewhere runs on |

| environment variable | means |
|---|---|
| \`CROSSFADE_CONTROL_URL\` | the control database; without it an embedded one lives under \`.crossfade\`, shared by all commands of that directory |
| \`CROSSFADE_DEBUG=1\` | show the stack of a failure |
| \`NO_COLOR=1\` | no colours |

Ctrl-C detaches: a migration stays where it is, and \`crossfade apply\` with the same plan goes on. Shell completion: \`crossfade completion bash|zsh|fish\`.
`

function section(command: Command): string {
  const name = pathOf(command)
  const given = command.registeredArguments.map(
    (argument) => `| \`${bracketed(argument)}\` | ${cell(argument.description || choices(argument.argChoices))} | |`,
  )
  const options = command.options.map(
    (option) =>
      `| \`${cell(option.flags)}\` | ${cell(option.description)} | ${option.defaultValueDescription ?? defaultOf(option.defaultValue)} |`,
  )
  const table = ['| argument or option | | default |', '|---|---|---|', ...given, ...options].join('\n')
  return `## crossfade ${name}\n\n${command.description()}\n\n${table}\n\n\`\`\`sh\n${exampleOf(command)}\n\`\`\`\n`
}

function pathOf(command: Command): string {
  const above = command.parent
  return above?.parent ? `${pathOf(above)} ${command.name()}` : command.name()
}

function bracketed(argument: Command['registeredArguments'][number]): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`
  return argument.required ? `<${name}>` : `[${name}]`
}

/** The example stands at the end of the help, written by the command itself. */
function exampleOf(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: (part) => (help += part) })
  command.outputHelp()
  const lines = help.slice(help.lastIndexOf('Example:')).split('\n')
  return lines.flatMap((line) => (line.startsWith('  $ ') ? [line.slice(4)] : [])).join('\n')
}

function choices(list: readonly string[] | undefined): string {
  return list ? list.join(', ') : ''
}

function defaultOf(value: unknown): string {
  if (value === undefined || value === true) return ''
  return `\`${Array.isArray(value) ? value.join(',') : String(value)}\``
}

const cell = (text: string) => text.replaceAll('|', '\\|')
