// What one instance's clients see of a service: which tools, in which order, with which words, compiled once.

import type { Service, Tool } from '@crossfade/catalog/catalog.ts'
import { type ToolDefinition, toolDigest } from '@crossfade/catalog/tool-digest.ts'
import type { InstanceSettings } from '../instances/session.ts'
import { type CompiledList, compileResult } from './answers.ts'
import { callOperationTool, searchOperationsTool } from './search-tools.ts'
import { listCacheHint, type ServiceIdentity } from './service-identity.ts'
import type { ToldTool } from './told-tool.ts'

/** Tools on one page of `tools/list`. Long lists cost the model more than they are worth; a page is what most clients read. */
export const listPageToolsMax = 100

export interface ToolPage {
  readonly tools: readonly ToldTool[]
  readonly nextCursor?: string
  /** The whole response but the id, for each era. */
  readonly modern: CompiledList
  readonly legacy: CompiledList
}

export interface ToolView {
  readonly service: Service
  /** Pages by the cursor that leads to them; the first one by the empty string. */
  readonly pages: ReadonlyMap<string, ToolPage>
  readonly firstPage: ToolPage
  /** Whether the two tools of ours are listed. */
  readonly hasSearch: boolean
  readonly canOnlyRead: boolean
  /** A tool that may be called, listed or not. Says nothing about the scope. */
  tool(name: string): Tool | undefined
  isExcluded(name: string): boolean
  /** Characters that the compiled pages take. */
  readonly characters: number
}

/** Compiles the view that these settings give of a service. `canOnlyRead`: for tokens that may not change things. */
export function compileToolView(
  service: Service,
  settings: InstanceSettings,
  canOnlyRead: boolean,
  identity: ServiceIdentity,
): ToolView {
  const excluded = new Set(settings.excludedTools)
  const chosen = chosenTools(service, settings).filter(
    (tool) => !excluded.has(tool.name) && !(canOnlyRead && !tool.annotations.readOnlyHint),
  )
  const callable = new Map(chosen.map((tool) => [tool.name, tool]))
  const hasSearch = settings.search && service.operationCount > chosen.length
  const told = [
    ...chosen.map((tool) => toldTool(tool, settings)),
    ...(hasSearch ? [searchOperationsTool(service), callOperationTool(service, canOnlyRead)] : []),
  ]
  const pages = compilePages(told, identity)
  let characters = 0
  for (const page of pages.values()) characters += page.modern.text.length + page.legacy.text.length

  return {
    service,
    pages,
    firstPage: pages.get('')!,
    hasSearch,
    canOnlyRead,
    tool(name) {
      const listed = callable.get(name)
      if (listed !== undefined) return listed
      if (excluded.has(name)) return undefined
      // A tool that is not shown because it changes things still exists: calling it says which scope it needs.
      if (settings.search || (canOnlyRead && isChosen(service, settings, name))) return service.tool(name)
      return undefined
    },
    isExcluded: (name) => excluded.has(name),
    characters,
  }
}

/** Digests of all tools that the view lists, by name: when one changes, what a model was shown has changed. Equal to the catalog's where the user has no words of his own. */
export function definitionDigests(view: ToolView): ReadonlyMap<string, string> {
  const digests = new Map<string, string>()
  for (const page of view.pages.values()) {
    for (const tool of page.tools) digests.set(tool.name, toolDigest(tool as unknown as ToolDefinition))
  }
  return digests
}

function chosenTools(service: Service, settings: InstanceSettings): readonly Tool[] {
  if (settings.tools === null) return service.listed
  // Names of tools that the service has no longer are passed over: an instance outlives the catalog it was made with.
  return [...new Set(settings.tools)].map((name) => service.tool(name)).filter((tool) => tool !== undefined)
}

function isChosen(service: Service, settings: InstanceSettings, name: string): boolean {
  return settings.tools === null ? service.listed.some((tool) => tool.name === name) : settings.tools.includes(name)
}

export function toldTool(tool: Tool, settings: InstanceSettings): ToldTool {
  const words = Object.hasOwn(settings.overrides, tool.name) ? settings.overrides[tool.name] : undefined
  const title = words?.title ?? tool.title
  return {
    name: tool.name,
    ...(title === undefined ? {} : { title }),
    description: words?.description ?? tool.description,
    inputSchema: tool.inputSchema,
    annotations: { ...tool.annotations },
  }
}

function compilePages(told: readonly ToldTool[], identity: ServiceIdentity): Map<string, ToolPage> {
  const pages = new Map<string, ToolPage>()
  for (let first = 0; first === 0 || first < told.length; first += listPageToolsMax) {
    const tools = told.slice(first, first + listPageToolsMax)
    const next = first + listPageToolsMax
    const result = { tools, ...(next < told.length ? { nextCursor: cursorOf(next) } : {}) }
    pages.set(first === 0 ? '' : cursorOf(first), {
      ...result,
      legacy: { text: compileResult(result), gzip: null },
      modern: {
        text: compileResult({ ...result, resultType: 'complete', ...listCacheHint, _meta: identity.resultMeta }),
        gzip: null,
      },
    })
  }
  return pages
}

function cursorOf(index: number): string {
  return Buffer.from(`tools:${index}`).toString('base64url')
}
