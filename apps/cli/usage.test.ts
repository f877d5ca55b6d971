import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Command, CommanderError } from 'commander'
import { buildProgram } from './program.ts'

function withAllBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withAllBelow)]
}

/** Parses a command line in this process, without acting on it when it is wrong; gives what it wrote and how it ended. */
async function parsed(args: readonly string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const program = buildProgram(() => undefined)
  const write = (part: string) => {
    text += part
  }
  for (const command of withAllBelow(program)) {
    command.configureOutput({ writeOut: write, writeErr: write })
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return { code: 0, text }
  } catch (error) {
    if (error instanceof CommanderError) return { code: error.exitCode, text }
    throw error
  }
}

const commands = buildProgram(() => undefined).commands

/** A group has no help worth an example: its commands have. */
const namesOf = (command: Command, name: string): string[] =>
  command.commands.length > 0 && command.options.length === 0
    ? command.commands.flatMap((below) => namesOf(below, `${name} ${below.name()}`))
    : [name]
const names = commands.flatMap((command) => namesOf(command, command.name()))

for (const name of names) {
  test(`crossfade ${name} --help shows what it does, an example and --json`, async () => {
    const { code, text } = await parsed([...name.split(' '), '--help'])
    assert.equal(code, 0)
    assert.match(text, new RegExp(`^Usage: crossfade ${name}`))
    assert.match(text, new RegExp(`Example:\\n( {2}\\$ .*crossfade ${name})`))
    assert.match(text, /--json/)
    for (const line of text.split('\n')) assert.ok(line.length <= 120, line)
  })
}

const wrong: [string, string[], RegExp][] = [
  ['an unknown command', ['statsu'], /Did you mean status/],
  ['an unknown option', ['status', '--wath'], /unknown option/],
  ['a missing argument', ['plan'], /missing required argument/],
  ['an argument too many', ['plan', 'a', 'b'], /too many arguments/],
  ['a stage that is none', ['advance', '--to', 'done'], /Give one of off, dualwrite/],
  ['a duration that is none', ['doctor', 'x.yaml', '--sample', 'soon'], /number with its unit/],
  ['a count that is none', ['init', 'postgres://x', '--targets', '0'], /from 1 to 1024/],
  ['a shell nobody knows', ['completion', 'cmd'], /Allowed choices are bash, zsh, fish/],
  ['a role that is none', ['server', '--roles', 'king'], /api, worker/],
  ['no workers', ['mcp', 'serve', '--workers', '0'], /from 1 to 64/],
  ['no workers of PM2', ['mcp', 'ecosystem', '--workers', '0'], /from 1 to 64/],
  ['a port that is none', ['mcp', 'serve', '--port', '70000'], /port from 1 to 65535/],
  ['an upstream without a port', ['mcp', 'serve', '--allow-upstream', '10.0.0.5'], /host and port/],
  ['a host name with a scheme', ['mcp', 'serve', '--allow-host', 'http://a.example'], /host name alone/],
  ['an address of alerts that is none', ['mcp', 'serve', '--alerts', 'nonsense'], /http or https/],
  ['a client nobody knows', ['mcp', 'connect', 'github', '--client', 'nobody'], /claude-code/],
  ['a name no service can have', ['mcp', 'import', 'x.yaml', '--as', 'Bad Name'], /a letter first/],
  [
    'a secret of a public client',
    ['mcp', 'upstream-clients', 'set', 'github', '--client-id', 'x', '--public', '--client-secret-file', 'k'],
    /cannot be used with/,
  ],
]
for (const [what, args, says] of wrong) {
  test(`wrong usage is said before anything is done: ${what}`, async () => {
    const { code, text } = await parsed(args)
    assert.notEqual(code, 0)
    assert.match(text, says)
  })
}

test('no argument at all shows the help', async () => {
  const { text } = await parsed([])
  for (const command of commands) assert.ok(text.includes(command.name()), command.name())
})
