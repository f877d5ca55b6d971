// Every file that is derived from code. A generator is a function without side effects; run.ts writes, the check compares.
import { cliReference } from './cli-reference.ts'
import { errorReference } from './error-reference.ts'
import { mcpOpenapi, openapi } from './openapi.ts'
import { planSchema } from './plan-schema.ts'
import { registryMigration } from './registry-migration.ts'

export interface GeneratedFile {
  /** Relative to the project's root. */
  path: string
  content: string
}

export type Generator = () => Promise<GeneratedFile> | GeneratedFile

const allGenerators: readonly Generator[] = [
  cliReference,
  errorReference,
  openapi,
  mcpOpenapi,
  planSchema,
  registryMigration,
]

/** What all generators produce, in order. */
export async function generateAll(): Promise<GeneratedFile[]> {
  const files: GeneratedFile[] = []
  for (const generate of allGenerators) files.push(await generate())
  return files
}
