import { randomBytes } from 'node:crypto'
import type { ExternalSubject } from '@crossfade/gateway-app/users.ts'
import { textTable } from '@crossfade/plan/text-table.ts'
import { type Command, InvalidArgumentError } from 'commander'
import { printJson, printNote, printText } from '../../terminal/output.ts'
import { readSecretFile } from '../../terminal/read-secret-file.ts'
import { colour } from '../../terminal/style.ts'
import { type CommonOptions, common } from '../command.ts'

interface UsersOptions extends CommonOptions {
  readonly database?: string
}

interface PasswordOptions extends UsersOptions {
  readonly passwordFile?: string
  readonly new?: boolean
}

/** 144 bits: nobody guesses them, and a person can type them. */
const passwordBytes = 18

/** `crossfade mcp users`: the people of an installation, for its operator. */
export function registerUsers(mcp: Command): void {
  const users = mcp
    .command('users')
    .summary('look after the people of an installation')
    .description(
      'People sign up in the console. The operator makes one of them an administrator, sets passwords that were forgotten, and switches people off; all of it stands in their audit logs. Works beside a running server, which knows of it at once.',
    )
  withDatabase(
    users.command('list').summary('show the users').description('Shows all users, the oldest first.'),
    'crossfade mcp users list --json',
  ).action(list)
  withDatabase(
    users
      .command('set-password')
      .summary('set a password, and end every session of the user')
      .description(
        'Sets a password and ends every session of the user. Without a file it makes one up and prints it, this once.',
      )
      .argument('<email>', 'as `users list` shows it', address)
      .option('--password-file <file>', 'file that holds the password; - reads standard input')
      .option('--new', 'make the user where there is none'),
    'crossfade mcp users set-password ann@example.com --password-file password',
  ).action(setPassword)
  withDatabase(
    users
      .command('set-role')
      .summary('make a user an administrator, or a member again')
      .description(
        'Administrators import services for everybody, and nothing more: they see no key and no instance of others.',
      )
      .argument('<email>', 'as `users list` shows it', address)
      .argument('<role>', 'admin or member', role),
    'crossfade mcp users set-role ann@example.com admin',
  ).action(setRole)
  withDatabase(
    users
      .command('sign-in-link')
      .summary('make a link that signs a user in, once')
      .description(
        'Prints a link that signs whoever opens it in as that user, once, within three minutes: for people without a password, such as the owner of a local installation. Hand it over as you would a password.',
      )
      .argument('<email>', 'as `users list` shows it', address),
    'crossfade mcp users sign-in-link local@localhost',
  ).action(signInLink)
  for (const [name, isLinked] of [
    ['link', true],
    ['unlink', false],
  ] as const) {
    withDatabase(
      users
        .command(name)
        .summary(
          isLinked ? 'let tokens of an external issuer act for a user' : 'let tokens of an external issuer act no more',
        )
        .description(
          isLinked
            ? 'Lets tokens of this subject act for the user, where the server was started with --external-issuers and the issuer in that file.'
            : 'Takes such a link away; every worker refuses the tokens of the subject at once.',
        )
        .argument('<email>', 'as `users list` shows it', address)
        .argument('<issuer>', 'as it stands in `iss` of the tokens')
        .argument('<subject>', 'as it stands in `sub` of the tokens'),
      `crossfade mcp users ${name} ann@example.com https://id.example.com 248289761001`,
    ).action((email: string, issuer: string, subject: string, options: UsersOptions) =>
      (isLinked ? link : unlink)(email, { issuer, subject }, options),
    )
  }
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
        .argument('<email>', 'as `users list` shows it', address),
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
  const { passwordFile, new: isNew = false } = options
  const made = passwordFile === undefined ? randomBytes(passwordBytes).toString('base64url') : null
  const password = made ?? readSecretFile(passwordFile!, 'password')
  const { setPasswordOf } = await import('@crossfade/gateway-app/users.ts')
  await setPasswordOf({ ...options, isNew }, email, password)
  const json = made === null ? { email } : { email, password: made }
  told(options, json, `${email} signs in with the new password; every session has ended.`)
  if (made !== null && !options.json) printText(`  ${made}`)
}

async function signInLink(email: string, options: UsersOptions): Promise<void> {
  const { signInLinkOf } = await import('@crossfade/gateway-app/users.ts')
  const { url, endsAt } = await signInLinkOf(options, email)
  if (options.json) return printJson({ email, url, endsAt })
  printText(url)
  printNote(colour.dim(`  Signs ${email} in, once, until ${endsAt.toISOString()}.`))
}

async function link(email: string, subject: ExternalSubject, options: UsersOptions): Promise<void> {
  const { linkOf } = await import('@crossfade/gateway-app/users.ts')
  await linkOf(options, email, subject)
  told(options, { email, ...subject }, `Tokens of ${subject.subject} by ${subject.issuer} act for ${email}.`)
}

async function unlink(email: string, subject: ExternalSubject, options: UsersOptions): Promise<void> {
  const { unlinkOf } = await import('@crossfade/gateway-app/users.ts')
  const removed = await unlinkOf(options, email, subject)
  if (!removed && !options.json) return printText(`${email} has no such link.`)
  told(options, { email, ...subject, removed }, `Tokens of ${subject.subject} by ${subject.issuer} act for nobody now.`)
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

function address(text: string): string {
  if (/^[^\s@]+@[^\s@]+$/.test(text)) return text
  throw new InvalidArgumentError('Give an e-mail address.')
}

function role(text: string): 'admin' | 'member' {
  if (text === 'admin' || text === 'member') return text
  throw new InvalidArgumentError('Give admin or member.')
}
