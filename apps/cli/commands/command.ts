import type { Command } from 'commander'

/** Adds one command to the program; `end` takes its exit code. */
export type Register = (program: Command, end: (code: number) => void) => void

/** What all commands take. */
export interface CommonOptions {
  readonly json?: boolean
}

/** Gives a command its `--json` and, at the end of its help, an example. */
export function common(command: Command, example: string): Command {
  return command.option('--json', 'print the result as JSON').addHelpText(
    'after',
    `\nExample:\n${example
      .split('\n')
      .map((line) => `  $ ${line}`)
      .join('\n')}`,
  )
}
