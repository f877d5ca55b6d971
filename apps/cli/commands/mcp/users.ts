import { textTable } from '@crossfade/plan/text-table.ts'
import { type Command, InvalidArgumentError } from 'commander'
import { printJson, printText } from '../../terminal/output.ts'
import { colour } from '../../terminal/style.ts'
import { type CommonOptions, common } from '../command.ts'
import { readSecretFile } from '../../terminal/read-secret-file.ts'

interface UsersOptions extends CommonOptions {
  readonly database?: string
}

interface PasswordOptions extends UsersOptions {
  readonly passwordFile: string
}

/** `crossfade mcp users list|set-password|set-role|switch-off|switch-on`: the people of an installation, for its operator. */
export function registerUsers(mcp: Command): void {
  const users = mcp
    .command('users')
    .summary('look after the people of an installation')
    .description(
      'People sign up in the console. The operator makes one of them an administrator, sets passwords that were forgotten, and switches people off; all of it stands in their audit logs.',
    )
  withDatabase(
    users.command('list').summary('show the users').description('Shows all users, the oldest first.'),
    'crossfade mcp users list --json',
  ).action(list)
  withDatabase(
    users
      .command('set-password')
      .summary('set a password, and end every session of the user')
      .description('Sets a password and ends every session of the user; makes the user where there is none.')
      .argument('<email>')
      .requiredOption('--password-file <file>', 'file that holds the password; - reads standard input'),
    'crossfade mcp users set-password ann@example.com --password-file password',
  ).action(setPassword)
  withDatabase(
    users
      .command('set-role')
      .summary('make a user an administrator, or a member again')
      .description(
        'Administrators import services for everybody, and nothing more: they see no key and no instance of others.',
      )
      .argument('<email>')
      .argument('<role>', 'admin or member', role),
    'crossfade mcp users set-role ann@example.com admin',
  ).action(setRole)
  for (const [name, active] of [
    ['switch-off', false],
    ['switch-on', true],
  ] as const) {
    withDatabase(
      users
        .command(name)
        .summary(active ? 'let a user in again' : 'let a user in no more')
        .description(
          active
            ? 'Lets a user in again, with the instances and tokens that there were.'
            : 'Ends every session and OAuth token of a user, and opens none of their instances, on every worker at once.',
        )
        .argument('<email>'),
      `crossfade mcp users ${name} ann@example.com`,
    ).action((email: string, options: UsersOptions) => setActive(email, active, options))
  }
}

function withDatabase(command: Command, example: string): Command {
  return common(command, example).option('--database <url>', 'as for `crossfade mcp serve`')
}

async function list(options: UsersOptions): Promise<void> {
  const { usersOf } = await import('@crossfade/gateway-app/users.ts')
  const users = await usersOf(options)
  if (options.json) return printJson(users)
  const rows = users.map(({ email, name, role: has, active, createdAt }) => [
    email,
    name ?? '',
    has,
    active ? '' : 'switched off',
    createdAt.toISOString(),
  ])
  printText(textTable(['address', 'name', 'role', '', 'since'], rows))
}

async function setPassword(email: string, options: PasswordOptions): Promise<void> {
  const password = readSecretFile(options.passwordFile, 'password')
  const { setPasswordOf } = await import('@crossfade/gateway-app/users.ts')
  await setPasswordOf(options, email, password)
  told(options, { email }, `${email} signs in with the new password; every session has ended.`)
}

async function setRole(email: string, wanted: 'admin' | 'member', options: UsersOptions): Promise<void> {
  const { setRoleOf } = await import('@crossfade/gateway-app/users.ts')
  await setRoleOf(options, email, wanted)
  told(options, { email, role: wanted }, `${email} is ${wanted === 'admin' ? 'an administrator' : 'a member'} now.`)
}

async function setActive(email: string, active: boolean, options: UsersOptions): Promise<void> {
  const { setActiveOf } = await import('@crossfade/gateway-app/users.ts')
  await setActiveOf(options, email, active)
  told(options, { email, active }, active ? `${email} is let in again.` : `${email} is let in no more.`)
}

function told(options: UsersOptions, json: object, sentence: string): void {
  if (options.json) printJson(json)
  else printText(`${colour.green('✓')} ${sentence}`)
}

function role(text: string): 'admin' | 'member' {
  if (text === 'admin' || text === 'member') return text
  throw new InvalidArgumentError('Give admin or member.')
}
