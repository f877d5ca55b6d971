import { Argument, type Command } from 'commander'
import { printText } from '../terminal/output.ts'
import { common, type Register } from './command.ts'

const shells = ['bash', 'zsh', 'fish'] as const

export const registerCompletion: Register = (program) => {
  common(
    program
      .command('completion')
      .summary('print what makes your shell complete crossfade')
      .description('Prints a completion script for bash, zsh or fish.')
      .addArgument(new Argument('<shell>').choices(shells)),
    'crossfade completion bash > ~/.local/share/bash-completion/completions/crossfade',
  ).action((shell: (typeof shells)[number]) => printText(completionScript(program, shell)))
}

interface Word {
  readonly name: string
  readonly summary: string
}

/** A script that completes commands, their options, and files as arguments. */
export function completionScript(program: Command, shell: (typeof shells)[number]): string {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    options: optionsOf(command),
    words: [...command.commands.map((below) => below.name()), ...choicesOf(command)],
  }))
  if (shell === 'bash') return bash(commands)
  if (shell === 'zsh') return zsh(commands)
  return fish(commands)
}

type Completed = Word & { readonly options: readonly Word[]; readonly words: readonly string[] }

function optionsOf(command: Command): Word[] {
  const options = command.options.map((option) => ({
    name: option.long ?? option.short ?? '',
    summary: option.description,
  }))
  return [...options, { name: '--help', summary: 'show help' }].filter(({ name }) => name !== '')
}

function choicesOf(command: Command): readonly string[] {
  return command.registeredArguments[0]?.argChoices ?? []
}

function bash(commands: readonly Completed[]): string {
  const cases = commands.map(
    ({ name, options, words }) =>
      `    ${name}) words="${[...words, ...options.map((option) => option.name)].join(' ')}" ;;`,
  )
  return `_crossfade() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current"))
}
complete -o filenames -F _crossfade crossfade`
}

function zsh(commands: readonly Completed[]): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
  const described = ({ name, summary }: Word) => quoted(`${name}:${summary.replaceAll(':', ' ')}`)
  const cases = commands.map(({ name, options, words }) => {
    const all = [...words.map((word) => ({ name: word, summary: '' })), ...options]
    return `    ${name}) described=(${all.map(described).join(' ')}) ;;`
  })
  return `#compdef crossfade
_crossfade() {
  local -a described
  if (( CURRENT == 2 )); then
    described=(${commands.map(described).join(' ')})
    _describe 'command' described
    return
  fi
  case "\${words[2]}" in
${cases.join('\n')}
  esac
  _describe 'option' described
  _files
}
compdef _crossfade crossfade`
}

function fish(commands: readonly Completed[]): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = commands.flatMap(({ name, summary, options, words }) => [
    `complete -c crossfade -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
    ...words.map((word) => `complete -c crossfade -n '__fish_seen_subcommand_from ${name}' -f -a ${word}`),
    ...options.map(
      (option) =>
        `complete -c crossfade -n '__fish_seen_subcommand_from ${name}' -l ${option.name.slice(2)} -d ${quoted(option.summary)}`,
    ),
  ])
  return lines.join('\n')
}
