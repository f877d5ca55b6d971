import type { Tone } from '../words.ts'
import type { Health, Instance, ServiceSummary } from './contract.ts'

/** What the services' pages call things. */

export const authWord: Readonly<Record<ServiceSummary['auth'], string>> = {
  none: 'no key',
  api_key: 'API key',
  basic_auth: 'user and password',
  oauth2: 'OAuth',
}

export const healthWord: Readonly<Record<Health['state'], { readonly text: string; readonly tone: Tone }>> = {
  healthy: { text: 'healthy', tone: 'good' },
  unhealthy: { text: 'unhealthy', tone: 'bad' },
  paused: { text: 'held back', tone: 'warn' },
  unknown: { text: 'not looked at yet', tone: 'idle' },
}

export const stateWord: Readonly<Record<Instance['state'], { readonly text: string; readonly tone: Tone }>> = {
  active: { text: 'connected', tone: 'good' },
  needs_authorization: { text: 'needs a new key', tone: 'bad' },
  paused: { text: 'paused', tone: 'warn' },
}

const deeds: Readonly<Record<string, string>> = {
  'instance.connect': 'connect a service',
  'instance.replace': 'replace a key',
  'instance.confirm': 'enter the same key',
  'instance.delete': 'revoke a key',
  'instance.pause': 'pause',
  'instance.resume': 'resume',
  'instance.settings': 'change settings',
  'token.create': 'make a token',
  'token.revoke': 'revoke a token',
  'api_token.create': 'make an API token',
  'api_token.revoke': 'revoke an API token',
  'authorization.finish': 'connect by OAuth',
  'authorization.return': 'come back from OAuth',
  'oauth.consent': 'let an application in',
  'oauth.revoke': 'put an application out',
  'password.change': 'change the password',
  'service.import': 'import a service',
  'service.remove': 'remove an import',
  'session.create': 'sign in',
  'tool.approve': 'approve a tool',
  'tool.quarantine': 'hold a tool back',
}

/** What an entry of the audit log says that was done, or was refused. */
export function deedWord(action: string): string {
  return deeds[action] ?? action.replaceAll(/[._]/g, ' ')
}

const actors: Readonly<Record<string, string>> = { user: 'you', accounts: 'you', keeper: 'the server' }

/** Who did an entry's deed. */
export function actorWord(actor: string): string {
  return actors[actor] ?? actor
}

/** What a deed is about where the name of one thing would tell nothing. */
export function subjectWord(action: string): string | null {
  if (action === 'session.create') return 'this console'
  return action === 'password.change' ? 'your account' : null
}

/** Categories that are no ordinary words. */
const categories: Readonly<Record<string, string>> = { ai: 'AI', crm: 'CRM' }

/** A category, as a heading has it. */
export function categoryWord(category: string): string {
  return categories[category] ?? category.slice(0, 1).toUpperCase() + category.slice(1)
}

const failures: Readonly<Record<string, readonly [string, string]>> = {
  CF12022: ['This authorization was not begun here, was used before, or took too long.', 'Begin again.'],
  CF12023: ['This authorization was begun by somebody else. Nothing was connected.', 'Begin it yourself on this page.'],
  CF12024: ['The service did not authorize.', 'Begin again, and allow what it asks for.'],
  CF12025: [
    'The answer of the service can’t be used.',
    'Begin again; if it goes on, the administrator looks at the client.',
  ],
}

/** What went wrong on the way through a consent page, and what to do. */
export function authorizationFailure(code: string): { readonly message: string; readonly remedy: string } {
  const [message, remedy] = failures[code] ?? ['The authorization did not go through.', 'Begin again.']
  return { message, remedy }
}

/** `1 tool`, `3 tools`. */
export function plural(count: number, one: string, more = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : more}`
}
