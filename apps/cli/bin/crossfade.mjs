#!/usr/bin/env node
import { fileURLToPath } from 'node:url'
import { buildFor, runOnNode24 } from '../../../tools/bootstrap.mjs'

const args = process.argv.slice(2)
// The platform needs what is compiled at set-up, also where nobody ran an npm script before.
if (args[0] === 'mcp') buildFor(args)
// The bin is plain JavaScript because the Node that npm runs under may be too old to strip types.
runOnNode24(fileURLToPath(new URL('../main.ts', import.meta.url)), args)
