import { nearNames } from '@crossfade/model/near-names.ts'
import { foundOperations } from './search-operations.ts'
import { searchResultsMax } from './search-tools.ts'
import type { ToolView } from './tool-view.ts'

/** Names of tools that somebody who wrote `name` may have meant, the likeliest first. Only tools that may be called. */
export function nearTools(view: ToolView, name: string): readonly string[] {
  const candidates = new Set<string>()
  for (const page of view.pages.values()) for (const tool of page.tools) candidates.add(tool.name)
  if (view.hasSearch) {
    const words = name.replaceAll(/[_.-]+/g, ' ')
    for (const tool of foundOperations(view, words, searchResultsMax)) candidates.add(tool.name)
  }
  return nearNames(name, candidates)
}
