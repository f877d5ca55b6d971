// What the tools of remote MCP servers were when they were pinned. A description is an instruction to a model: one that changes later is not passed on unseen.
import type { ToolAnnotations } from '@crossfade/catalog/catalog.ts'
import { toolDigest } from '@crossfade/catalog/tool-digest.ts'

/** A tool as a remote server tells of it: everything of it that reaches a client. */
export interface RemoteDefinition {
  readonly name: string
  readonly title?: string
  readonly description: string
  readonly inputSchema: Readonly<Record<string, unknown>>
  readonly annotations: ToolAnnotations
}

export interface DigestedDefinition {
  readonly name: string
  /** SHA-256 (hex) over the whole definition. */
  readonly digest: string
  readonly definition: RemoteDefinition
}

export interface Pin {
  readonly toolName: string
  readonly digest: string
  readonly state: 'pinned' | 'quarantined'
}

/** Where pins are kept; the same for all workers. */
export interface PinStore {
  /** All pins of a service. */
  load(serviceType: string): Promise<readonly Pin[]>
  /**
   * Keeps definitions that are not known yet. The first ones of a service are pinned, later ones quarantined, or pinned when the name is new and
   * `acceptNew` says so. Idempotent; of two workers at once one is first.
   */
  save(serviceType: string, tools: readonly DigestedDefinition[], acceptNew: boolean): Promise<void>
}

/** The definition with its digest. The order of members does not matter, for servers may change it without a reason. */
export function digested(definition: RemoteDefinition): DigestedDefinition {
  return { name: definition.name, digest: toolDigest(definition), definition }
}

/** Those of `tools` that may be shown and called, and those that wait for somebody to look at them. */
export function judge(
  tools: readonly DigestedDefinition[],
  pins: readonly Pin[],
): { readonly approved: readonly DigestedDefinition[]; readonly quarantined: readonly DigestedDefinition[] } {
  const pinned = new Set(
    pins.filter(({ state }) => state === 'pinned').map(({ toolName, digest }) => `${toolName} ${digest}`),
  )
  const isPinned = ({ name, digest }: DigestedDefinition) => pinned.has(`${name} ${digest}`)
  return { approved: tools.filter(isPinned), quarantined: tools.filter((tool) => !isPinned(tool)) }
}
