import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'

/** What plans may import by these names wherever they lie, though nothing is installed beside them. */
const ours = /^@crossfade\/(plan|model|pipeline|routing)\//
const planMark = 'crossfade-plan='

let hooked = false

/** Imports a plan written as a program and gives its default export. CF1001 when it does not run, CF1005 when there is none. */
export async function importPlanModule(path: string, shown: string, sha256: string): Promise<unknown> {
  hookOnce()
  // The digest in the address lets a changed file be read again in the same process.
  const address = `${pathToFileURL(path).href}?${planMark}${sha256}`
  let loaded: { default?: unknown; plan?: unknown }
  try {
    loaded = await import(address)
  } catch (error) {
    if (error instanceof Failure) throw error
    // Not kept as the cause: a syntax error quotes the line, and whatever stands in it.
    throw fail('CF1001', { path: shown, reason: reasonOf(error).replaceAll(address, shown) })
  }
  const plan = loaded.default ?? loaded.plan
  if (plan === undefined) throw fail('CF1005', { path: shown, reason: 'there is no default export' })
  if (typeof plan !== 'object' || plan === null) {
    throw fail('CF1005', { path: shown, reason: `its default export is a ${typeof plan}` })
  }
  return plan
}

function hookOnce(): void {
  if (hooked) return
  hooked = true
  registerHooks({
    resolve(specifier, context, next) {
      // A plan is a module whatever the package.json above it says.
      if (specifier.includes(planMark)) {
        return { ...next(specifier, context), format: /\.m?ts\?/.test(specifier) ? 'module-typescript' : 'module' }
      }
      if (!ours.test(specifier)) return next(specifier, context)
      return next(specifier, { ...context, parentURL: import.meta.url })
    },
  })
}
