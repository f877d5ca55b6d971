// Libraries that a call needs and a start does not. They are loaded right after the start, or with the first call if that comes before.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export const argumentLibrary = () => require('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js')

// Not by undici's front door, which loads fetch, caches, mocks and proxies as well: most of the library, and a tenth of a start.

/** undici's `Pool`, without the methods that its front door adds (`request`, `stream` …): `dispatch` is all of it that calls need. */
export const poolLibrary = () => require('undici/lib/dispatcher/pool.js') as typeof import('undici').Pool
export const connectorLibrary = () => require('undici/lib/core/connect.js') as typeof import('undici').buildConnector

/** Loads them all: some 50 ms of processor time. Idempotent. */
export function loadCallLibraries(): void {
  for (const library of [poolLibrary, connectorLibrary, argumentLibrary]) library()
}
