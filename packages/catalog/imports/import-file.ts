// From a user's file to a service in a directory.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'
import type { ImportedService, ImportOptions } from './imported-service.ts'
import { importOpenApi } from './openapi.ts'
import { readDocument } from './read-document.ts'
import { importServerJson, isServerJson } from './server-json.ts'

/** The service in `file`: an OpenAPI document (JSON or YAML) or a server.json. Writes nothing. Throws CF10030, CF10050 or CF10051. */
export function importFile(file: string, options: ImportOptions): ImportedService {
  const raw = readDocument(file)
  const name = basename(file)
  return isServerJson(raw) ? importServerJson(raw, name, options) : importOpenApi(raw, name, options)
}

/**
 * Writes the service's folder into `directory`, whole or not at all: a reader never sees half of it. Throws CF10053 when the service
 * is there already, unless `replace` says so. Returns the folder.
 */
export function writeImported(imported: ImportedService, directory: string, how: { replace?: boolean } = {}): string {
  const name = imported.config.serviceType
  const folder = join(directory, name)
  if (existsSync(folder) && how.replace !== true) throw fail('CF10053', { service: name, directory })
  const partial = join(directory, `.${name}.${process.pid}.partial`)
  const previous = join(directory, `.${name}.${process.pid}.previous.partial`)
  // A process that was killed, and had this one's id, may have left some.
  for (const leftover of [partial, previous]) rmSync(leftover, { recursive: true, force: true })
  try {
    for (const { path, content } of imported.files) {
      const file = join(partial, path.slice(name.length + 1))
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, content)
    }
    if (existsSync(folder)) renameSync(folder, previous)
    renameSync(partial, folder)
  } finally {
    if (!existsSync(folder) && existsSync(previous)) renameSync(previous, folder)
    rmSync(partial, { recursive: true, force: true })
    rmSync(previous, { recursive: true, force: true })
  }
  return folder
}
