import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export interface PeerSettings {
  readonly origin: string
  readonly tools: number
  /** Folder in whose `node_modules` the peers are installed. */
  readonly programs: string
}

/** What the benchmark tells a peer: `origin tools programs` as arguments. */
export function peerSettings(): PeerSettings {
  const [origin, tools, programs] = process.argv.slice(2)
  return { origin: origin!, tools: Number(tools), programs: programs! }
}

/** Imports a package of the peers' folder: peers are no dependencies of this project. */
export function peerImport<Module>(programs: string, name: string): Promise<Module> {
  const path = createRequire(join(programs, 'package.json')).resolve(name)
  return import(pathToFileURL(path).href) as Promise<Module>
}
