// Directories of services for tests.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ServiceConfig } from '../service-config.ts'

export interface ServicesDirectory extends Disposable {
  readonly path: string
  /** Writes a file below the directory; objects as JSON. */
  write(file: string, content: unknown): void
}

/** An empty directory that is gone after the test: `using directory = servicesDirectory()`. */
export function servicesDirectory(): ServicesDirectory {
  const path = mkdtempSync(join(tmpdir(), 'crossfade-services-'))
  return {
    path,
    write(file, content) {
      const target = join(path, file)
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** A configuration that is right; hand-written operations by default. */
export function exampleConfig(serviceType: string, port: number, changes: object = {}): ServiceConfig {
  return {
    serviceType,
    displayName: serviceType,
    category: 'testing',
    description: `A service called ${serviceType} for tests.`,
    docsUrl: 'https://docs.example.com',
    port,
    baseUrl: 'https://api.example.com',
    auth: { type: 'none' },
    verification: null,
    source: { kind: 'operations' },
    tools: ['get_thing'],
    ...changes,
  } as ServiceConfig
}

export const exampleOperations = {
  operations: [
    { name: 'get_thing', description: 'Reads a thing by its id.', method: 'GET', path: '/things/{id}' },
    {
      name: 'create_thing',
      description: 'Makes a thing.',
      method: 'POST',
      path: '/things',
      body: {
        contentType: 'application/json',
        schema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
      },
    },
  ],
}

/** Writes a service with two hand-written operations. */
export function writeExample(
  directory: ServicesDirectory,
  serviceType: string,
  port: number,
  changes: object = {},
): void {
  directory.write(`${serviceType}/config.json`, exampleConfig(serviceType, port, changes))
  directory.write(`${serviceType}/operations.json`, exampleOperations)
}
