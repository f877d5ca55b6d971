// Generated files are current: what the generators would write is what stands in the project.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateAll } from '../generate/generators.ts'
import type { CheckFinding } from './finding.ts'

/** Generated files that are not what the generators would write. */
export async function checkGenerated(root: string): Promise<CheckFinding[]> {
  const files = await generateAll()
  return files.flatMap(({ path, content }) => {
    const present = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined
    return present === content ? [] : [{ place: path, reason: 'is not current; run `npm run generate`' }]
  })
}
