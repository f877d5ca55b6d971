// The version of the project, from the one place that says it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../source-files.ts'

const manifest = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string }

export const projectVersion = manifest.version
