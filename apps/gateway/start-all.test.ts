import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startAll } from './start-all.ts'

test('a start by PM2 that can not be says why: no file, no PM2, a PM2 that fails or says nothing', async () => {
  const file = import.meta.filename
  await assert.rejects(startAll({ file: '/nowhere/ecosystem.config.cjs' }), { code: 'CF14012' })
  await assert.rejects(startAll({ file, pm2: '/nowhere/pm2' }), { code: 'CF14531' })
  await assert.rejects(startAll({ file, pm2: '/bin/false' }), { code: 'CF14532' })
  await assert.rejects(startAll({ file, pm2: '/bin/true' }), { code: 'CF14532' })
})
