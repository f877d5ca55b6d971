import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asMigrationId } from '@crossfade/model/ids.ts'
import { entry } from './entries.ts'
import { initialRouting } from './service.ts'
import { modelPlan } from './simulation/model-plan.ts'
import { emptyState, fold, type MigrationState } from './state.ts'
import type { NewEntry } from './store.ts'

const plan = modelPlan({ sources: 2, targets: 2, keys: 4, grouped: false })
const routing = initialRouting(plan)
const units = plan.source.shards.map((shard) => shard.id)
const created = entry('created', { name: plan.name, digest: plan.digest, routing })
const failure = {
  code: 'CF4001',
  message: 'm',
  remedy: 'r',
  retry: false,
  where: 'verify',
  at: '',
  nextAttemptAt: null,
} as const

function after(...added: readonly NewEntry[]): MigrationState {
  const migration = asMigrationId('mig_test')
  const at = (index: number) => new Date(Date.UTC(2026, 0, 1) + index * 10).toISOString()
  return fold(
    emptyState,
    [created, ...added].map((each, index) => ({
      ...each,
      migration,
      position: index + 1,
      version: index + 1,
      at: at(index),
    })),
  )
}

test('folding in two parts is folding at once', () => {
  const entries = [
    entry('move-started', { from: 'off', to: 'dualwrite' }),
    entry('step-started', { step: 'copy' }),
    entry('step-finished', { step: 'copy', result: { rows: 1 } }),
  ]
  const whole = after(...entries)
  assert.equal(whole.version, 4)
  assert.deepEqual([whole.place.moving, whole.steps['copy']?.attempts], [{ from: 'off', to: 'dualwrite' }, 1])
})

test('a cutover is known by its parts: attempts that were put back, the pause, who is closed', () => {
  const note = { units, to: 'target' as const, attempt: 1, reason: null, parts: {} }
  const fenced = { ...routing, fenced: units, epoch: 2 }
  const undone = after(
    entry('routing', { routing: fenced, note: { ...note, event: 'fencing' } }),
    entry('routing', { routing: { ...fenced, epoch: 3 }, note: { ...note, event: 'undoing', reason: 'late' } }),
    entry('routing', { routing: { ...routing, epoch: 4 }, note: { ...note, event: 'undone', reason: 'late' } }),
  )
  assert.deepEqual(
    undone.cutovers.map((each) => [each.outcome, each.reason, each.pauseMs]),
    [['undone', 'late', 20]],
  )
  assert.deepEqual(undone.closed, { source: [], target: [] })

  const flipped = after(
    entry('routing', { routing: fenced, note: { ...note, event: 'fencing' } }),
    entry('routing', { routing: { ...routing, epoch: 3 }, note: { ...note, event: 'flipped', parts: { fence: 3 } } }),
  )
  assert.deepEqual(
    flipped.cutovers.map((each) => [each.outcome, each.pauseMs, each.parts]),
    [['flipped', 10, { fence: 3 }]],
  )
  assert.deepEqual(flipped.closed, { source: units, target: [] })
})

test('what a person asks for clears the failure and begins the failed step anew; a pause does not', () => {
  const stopped = [
    entry('move-started', { from: 'dualwrite', to: 'shadow' }),
    entry('step-started', { step: 'verify' }),
    entry('step-failed', { step: 'verify', failure }),
    entry('stopped', { failure }),
  ]
  const command = (name: 'pause' | 'resume') =>
    entry('commanded', { command: name, desired: 'shadow', paused: name === 'pause', aborting: false })
  assert.equal(after(...stopped).failure?.code, 'CF4001')
  assert.equal(after(...stopped, command('pause')).failure?.code, 'CF4001')
  const resumed = after(...stopped, command('resume'))
  assert.deepEqual([resumed.failure, resumed.steps], [null, {}])
})

test('an entry of a kind that is not known counts, and changes nothing else', () => {
  const known = after()
  const later = after({ kind: 'of-the-future', actor: 'x', summary: '', body: {} })
  assert.deepEqual({ ...later, version: 0, updatedAt: '' }, { ...known, version: 0, updatedAt: '' })
  assert.equal(later.version, 2)
})
