// What sends requests, out of undici: its front door loads fetch, caches, mocks and proxies as well, which is most of the library and a tenth of a start.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** undici's `Pool`, without the methods that its front door adds (`request`, `stream` …): `dispatch` is all of it that calls need. */
export const Pool = require('undici/lib/dispatcher/pool.js') as typeof import('undici').Pool
export const buildConnector = require('undici/lib/core/connect.js') as typeof import('undici').buildConnector
