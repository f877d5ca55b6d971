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
  'instance.connect': 'connected',
  'instance.replace': 'replaced the key',
  'instance.confirm': 'confirmed the key',
  'instance.delete': 'disconnected',
  'instance.pause': 'paused',
  'instance.resume': 'resumed',
  'instance.settings': 'changed the settings',
  'token.create': 'made a token',
  'token.revoke': 'revoked a token',
  'api_token.create': 'made an API token',
  'api_token.revoke': 'revoked an API token',
}

/** What an entry of the audit log says that was done. */
export function deedWord(action: string): string {
  return deeds[action] ?? action.replaceAll(/[._]/g, ' ')
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
