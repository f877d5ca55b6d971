import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { asMigrationId } from '@crossfade/model/ids.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import { type Alert, alertOf, alerts, webhookAlerts } from './alerts.ts'
import { entry } from './entries.ts'
import type { JournaledState } from './journaled-state.ts'
import { memoryStore } from './memory-store.ts'
import { initialRouting } from './service.ts'
import { modelPlan } from './simulation/model-plan.ts'

const migration = asMigrationId('mig_test')
const report = { run: 'ver_1', rows: 5, mismatches: 2, repaired: 0 }

test('DM-10: stages, failures, breaches, mismatches and cutovers put back are worth an alert; steps are not', () => {
  const severity = (what: ReturnType<typeof entry>) =>
    alertOf({ ...what, position: 1, version: 1, migration, at: '' }, 'move')?.severity ?? null
  assert.equal(severity(entry('stage-entered', { stage: 'live', from: 'shadow' })), 'info')
  assert.equal(severity(entry('verification-finished', report)), 'critical')
  assert.equal(severity(entry('verification-finished', { ...report, repaired: 2 })), null)
  assert.equal(severity(entry('step-started', { step: 'copy' })), null)
  assert.equal(severity(entry('throttle', { state: 'paused', reason: 'r' })), 'warning')
})

test('DM-10: alerts are delivered in order, tried again when they fail, and gone on with by the next holder', async () => {
  let now = 0
  const sent: Alert[] = []
  let broken = true
  const clock = {
    now: () => now,
    async sleep(milliseconds: number) {
      now += milliseconds
      broken = false
    },
  }
  const store = memoryStore(clock)
  const plan = modelPlan({ sources: 1, targets: 1, keys: 2, grouped: false })
  await store.migrations.create(
    migration,
    plan,
    entry('created', { name: plan.name, digest: plan.digest, routing: initialRouting(plan) }),
  )
  await store.journal.append(migration, [entry('verification-finished', report), entry('aborted', {})])
  const hold = async () => {
    const stop = new AbortController()
    const changed = async () => {
      stop.abort(new Error('over'))
      stop.signal.throwIfAborted()
    }
    const ports = { migration, plan, clock, changed } as unknown as TrackPorts
    const send = async (alert: Alert) => {
      if (broken) throw new Error('503')
      sent.push(alert)
    }
    await assert.rejects(alerts(store, send)(ports, undefined as unknown as JournaledState, stop.signal), /over/)
  }
  await hold()
  assert.deepEqual(
    sent.map((alert) => alert.kind),
    ['verification-finished', 'aborted'],
  )
  await store.journal.append(migration, [entry('stage-entered', { stage: 'off', from: 'dualwrite' })])
  await hold()
  assert.deepEqual(
    sent.map((alert) => alert.kind),
    ['verification-finished', 'aborted', 'stage-entered'],
  )
})

test('a webhook gets the alert as JSON; an answer that is not 2xx is a failure', async () => {
  const got: string[] = []
  let status = 204
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      got.push(body)
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const send = webhookAlerts(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  const alert: Alert = { migration, name: 'move', severity: 'info', kind: 'aborted', text: 't', at: '', position: 1 }
  await send(alert)
  assert.deepEqual(JSON.parse(got[0]!), alert)
  status = 500
  await assert.rejects(send(alert), { code: 'CF7010' })
  await new Promise((resolve) => server.close(resolve))
})
