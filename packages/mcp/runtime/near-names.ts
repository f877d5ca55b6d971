import { foundOperations, searchResultsMax } from './search-tools.ts'
import type { ToolView } from './tool-view.ts'

const nearNamesMax = 3

/** Names of tools that somebody who wrote `name` may have meant, the likeliest first. Only tools that may be called. */
export function nearNames(view: ToolView, name: string): readonly string[] {
  const candidates = new Set<string>()
  for (const page of view.pages.values()) for (const tool of page.tools) candidates.add(tool.name)
  if (view.hasSearch) {
    const words = name.replaceAll(/[_.-]+/g, ' ')
    for (const tool of foundOperations(view, words, searchResultsMax)) candidates.add(tool.name)
  }
  const wanted = name.toLowerCase()
  return [...candidates]
    .map((candidate) => ({ candidate, distance: distance(wanted, candidate.toLowerCase()) }))
    .filter(({ candidate, distance: edits }) => edits <= Math.max(wanted.length, candidate.length) / 2)
    .sort((first, second) => first.distance - second.distance)
    .slice(0, nearNamesMax)
    .map(({ candidate }) => candidate)
}

/** Edits between two words (Levenshtein), by Wagner and Fischer's table, a row at a time. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[to.length]!
}
