// `npm run generate`: writes every file that is derived from code. Idempotent.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from '../source-files.ts'
import { generateAll } from './generators.ts'

for (const { path, content } of await generateAll()) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true })
  writeFileSync(join(ROOT, path), content)
  process.stdout.write(`${path}\n`)
}
