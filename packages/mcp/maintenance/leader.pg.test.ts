import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { Pool } from 'pg'
import { type TestPlatform, testPlatform } from '../usage/testing.ts'
import { lead } from './leader.ts'

let platform: TestPlatform
let keeper: Pool
before(async () => {
  platform = await testPlatform(0, [])
  keeper = openPool(platform.urls.keeper, { applicationName: 'test leaders', connectionsMax: 6 })
})
after(async () => {
  await keeper.end()
  await platform.close()
})

interface Worker {
  readonly process: ChildProcess
  readonly said: string[]
  until(word: string, times?: number): Promise<void>
}

function startWorker(): Worker {
  const script = fileURLToPath(new URL('./fixtures/leader-worker.ts', import.meta.url))
  const child = fork(script, [], { env: { ...process.env, KEEPER_URL: platform.urls.keeper } })
  const said: string[] = []
  const waiting: (() => void)[] = []
  child.on('message', (word) => {
    said.push(String(word))
    for (const look of waiting) look()
  })
  return {
    process: child,
    said,
    until: (word, times = 1) =>
      new Promise((resolve) => {
        const look = () => {
          if (said.filter((one) => one === word).length >= times) resolve()
        }
        waiting.push(look)
        look()
      }),
  }
}

test('when the process that leads is killed or hangs, the other one takes over; one that wakes up again knows it', async () => {
  const workers = [startWorker(), startWorker()]
  try {
    await Promise.race(workers.map((worker) => worker.until('leads')))
    const [first, second] = workers[0]!.said.length > 0 ? [workers[0]!, workers[1]!] : [workers[1]!, workers[0]!]
    assert.deepEqual(second.said, [])
    first.process.kill('SIGSTOP')
    await second.until('leads')
    assert.deepEqual(first.said, ['leads'], 'a hanging one can say nothing')
    first.process.kill('SIGCONT')
    await first.until('lost')
    second.process.kill('SIGKILL')
    await first.until('leads', 2)
    assert.deepEqual(first.said, ['leads', 'lost', 'leads'])
  } finally {
    for (const worker of workers) worker.process.kill('SIGKILL')
  }
})

test('work that fails is told once, tried again, and told again after it went well', async () => {
  const outcomes = ['fails', 'fails', 'ends', 'fails', 'waits']
  const troubles: string[] = []
  const leadership = lead({
    pool: keeper,
    lock: 97,
    askMsMax: 5,
    onTrouble: (error) => troubles.push((error as Error).message),
    work: async (signal) => {
      const outcome = outcomes.shift()
      if (outcome === 'fails') throw new Error(`${outcomes.length} left`)
      if (outcome === 'waits') await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    },
  })
  while (outcomes.length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await leadership.close()
  assert.deepEqual(troubles, ['4 left', '1 left'])
})

test('one leads at a time; closing gives the lead back, and a lost connection ends the work', async () => {
  const log: string[] = []
  const start = (name: string) =>
    lead({
      pool: keeper,
      lock: 98,
      askMsMax: 20,
      work: async (signal) => {
        log.push(`${name} leads`)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        log.push(`${name} stops`)
      },
    })
  const until = async (length: number) => {
    while (log.length < length) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const a = start('a')
  await until(1)
  const b = start('b')
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.deepEqual([log, a.leads, b.leads], [['a leads'], true, false])
  await a.close()
  await until(3)
  assert.deepEqual(log, ['a leads', 'a stops', 'b leads'])
  await platform.admin.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = 98 and granted`,
  )
  await until(5)
  assert.deepEqual(log.slice(3), ['b stops', 'b leads'])
  await b.close()
  // The server notices a moment later that the connection has ended.
  const isHeld = async () => {
    const { rows } = await platform.admin.query(`select 1 from pg_locks where locktype = 'advisory' and objid = 98`)
    return rows.length > 0
  }
  while (await isHeld()) await new Promise((resolve) => setTimeout(resolve, 5))
})
