// `npm run generate`: writes every file that is derived from code. Idempotent.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { projectRoot } from '../source-files.ts'
import { generateAll } from './generators.ts'

for (const { path, content } of await generateAll()) {
  mkdirSync(dirname(join(projectRoot, path)), { recursive: true })
  writeFileSync(join(projectRoot, path), content)
  process.stdout.write(`${path}\n`)
}
