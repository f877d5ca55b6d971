import type { Service } from '@crossfade/catalog/catalog.ts'
import type { ServerCapabilities } from '@modelcontextprotocol/server'
import type { InstanceSession, InstanceSettings } from '../instances/session.ts'
import { compileIdentity, type ServiceIdentity } from './service-identity.ts'
import { compileToolView, type ToolView } from './tool-view.ts'

/** Characters of compiled lists that a worker keeps; ASCII, so a byte each. */
const compiledCharactersMax = 24 * 1024 * 1024
/** Views that a worker keeps, however small. */
const viewsMax = 2_000

interface Entry {
  readonly service: Service
  readonly key: string
  view: ToolView | null
  usedAt: number
}

interface Remembered {
  call: Entry | null
  read: Entry | null
}

/** Compiled views, shared by all instances with the same choices; the longest unused go first. */
export interface ToolViews {
  view(service: Service, session: InstanceSession): ToolView
  identity(service: Service): ServiceIdentity
  /** Forgets what was compiled for a service type. */
  forget(serviceType: string): void
}

export function createToolViews(
  platformVersion: string,
  moreCapabilities: (service: Service) => ServerCapabilities,
): ToolViews {
  const entries = new Map<string, Entry>()
  const bySettings = new WeakMap<InstanceSettings, Remembered>()
  const identities = new WeakMap<Service, ServiceIdentity>()
  const serviceNumbers = new WeakMap<Service, number>()
  let servicesSeen = 0
  let characters = 0
  let clock = 0

  return { view, identity, forget }

  function view(service: Service, session: InstanceSession): ToolView {
    const canOnlyRead = !session.scopes.has('call')
    const remembered = bySettings.get(session.settings)
    const known = canOnlyRead ? remembered?.read : remembered?.call
    if (known?.view && known.service === service) {
      known.usedAt = ++clock
      return known.view
    }
    const entry = entryOf(service, session.settings, canOnlyRead)
    const next = remembered ?? { call: null, read: null }
    if (canOnlyRead) next.read = entry
    else next.call = entry
    bySettings.set(session.settings, next)
    return entry.view!
  }

  function entryOf(service: Service, settings: InstanceSettings, canOnlyRead: boolean): Entry {
    const key = `${numberOf(service)} ${canOnlyRead ? 'read' : 'call'} ${settingsKey(settings)}`
    const known = entries.get(key)
    if (known !== undefined) {
      known.usedAt = ++clock
      return known
    }
    const compiled = compileToolView(service, settings, canOnlyRead, identity(service))
    const entry: Entry = { service, key, view: compiled, usedAt: ++clock }
    entries.set(key, entry)
    characters += compiled.characters
    if (characters > compiledCharactersMax || entries.size > viewsMax) makeRoom(entry)
    return entry
  }

  function identity(service: Service): ServiceIdentity {
    let known = identities.get(service)
    if (known === undefined) {
      known = compileIdentity(service, platformVersion, moreCapabilities(service))
      identities.set(service, known)
    }
    return known
  }

  function numberOf(service: Service): number {
    let number = serviceNumbers.get(service)
    if (number === undefined) {
      number = ++servicesSeen
      serviceNumbers.set(service, number)
    }
    return number
  }

  /** Drops the least recently used until a quarter is free, so that it is not done for every new view. */
  function makeRoom(keep: Entry): void {
    for (const entry of [...entries.values()].sort((first, second) => first.usedAt - second.usedAt)) {
      if (characters <= compiledCharactersMax * 0.75 && entries.size <= viewsMax * 0.75) return
      if (entry !== keep) drop(entry)
    }
  }

  function forget(serviceType: string): void {
    for (const entry of [...entries.values()]) {
      if (entry.service.config.serviceType === serviceType) drop(entry)
    }
  }

  function drop(entry: Entry): void {
    entries.delete(entry.key)
    characters -= entry.view?.characters ?? 0
    // Sessions still point at the entry; without its view they ask for another one.
    entry.view = null
  }
}

function settingsKey(settings: InstanceSettings): string {
  const { tools, excludedTools, overrides, search } = settings
  return JSON.stringify([tools, [...excludedTools].sort(), Object.entries(overrides).sort(), search])
}
