import { readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

/** How upstreams see us. Says nothing of the user or the client. */
export const userAgent = `crossfade-mcp/${version}`
