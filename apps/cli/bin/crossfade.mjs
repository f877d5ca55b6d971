#!/usr/bin/env node
import { fileURLToPath } from 'node:url'
import { runOnNode24 } from '../../../tools/bootstrap.mjs'

// The bin is plain JavaScript because the Node that npm runs under may be too old to strip types.
runOnNode24(fileURLToPath(new URL('../main.ts', import.meta.url)), process.argv.slice(2))
