// Names that MCP clients take: letters, digits, `_` and `-`. MCP allows dots as well, but several clients refuse them.
import { sha256 } from '../tool-digest.ts'

export const toolNameCharsMax = 64
export const argumentNameCharsMax = 64
const digestChars = 8

/** Hands out names, each once. Deterministic: the same requests in the same order get the same names. */
export interface Names {
  take(wish: string, distinction: string): string
}

/** Names of a service's tools. `distinction` (method and path) tells two operations of one id apart. */
export function toolNames(): Names {
  const taken = new Set<string>()
  return {
    take(wish, distinction) {
      const name = bounded(wish.replace(/[^A-Za-z0-9_-]+/g, '_').replace(/^_+|_+$/g, '') || 'operation', wish)
      const unique = taken.has(name) ? withDigestOf(name, `${wish} ${distinction}`) : name
      taken.add(unique)
      return unique
    },
  }
}

/** Names of a tool's arguments. `distinction` is the place of the value: `query`, `body`. */
export function argumentNames(): Names {
  const taken = new Set<string>()
  return {
    take(wish, distinction) {
      const name = bounded(argumentName(wish), wish)
      let unique = name
      if (taken.has(unique)) unique = bounded(`${name}_${distinction}`, `${wish} ${distinction}`)
      for (let number = 2; taken.has(unique); number++) unique = bounded(`${name}_${distinction}_${number}`, wish)
      taken.add(unique)
      return unique
    },
  }
}

/** For an operation that has no id: `GET /repos/{owner}/issues` → `get_repos_owner_issues`. */
export function nameFromPath(method: string, path: string): string {
  const words = path.replace(/[{}]/g, '').split(/[^A-Za-z0-9]+/)
  return [method.toLowerCase(), ...words].filter((word) => word !== '').join('_')
}

/** Clients refuse arguments like `filter[name]` and `$top`; on the wire they keep their names. */
function argumentName(wish: string): string {
  if (/^[A-Za-z0-9_.-]+$/.test(wish) && wish !== '__proto__') return wish
  return wish.replace(/[^A-Za-z0-9_.-]+/g, '_').replace(/^_+|_+$/g, '') || 'argument'
}

function bounded(name: string, whole: string): string {
  return name.length <= toolNameCharsMax ? name : withDigestOf(name, whole)
}

function withDigestOf(name: string, whole: string): string {
  const head = name.slice(0, toolNameCharsMax - digestChars - 1).replace(/_+$/, '')
  return `${head}_${sha256(whole).slice(0, digestChars)}`
}
