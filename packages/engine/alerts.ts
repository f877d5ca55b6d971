import { fail } from '@crossfade/model/failure.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import { backoffMs } from './backoff.ts'
import type { JournalEntry } from './contract.ts'
import type { EntryBodies, EntryKind } from './entries.ts'
import type { JournaledState } from './journaled-state.ts'
import type { ControlStore } from './store.ts'

const entriesPerPage = 200
const lookMs = 2_000
/** An alert that can't be delivered after so many tries is left out; the journal has it. */
const triesMax = 6

/** What a webhook is sent, as JSON. `severity` is what a person should feel about it. */
export interface Alert {
  readonly migration: string
  readonly name: string
  readonly severity: 'info' | 'warning' | 'critical'
  readonly kind: string
  readonly text: string
  readonly at: string
  readonly position: number
}

export type SendAlert = (alert: Alert) => Promise<void>

/** Tells people of stage changes, failures, breached gates and mismatches: at least once each, in order. Goes on where an earlier holder of the lease stopped. */
export function alerts(store: ControlStore, send: SendAlert) {
  return async (ports: TrackPorts, _state: JournaledState, signal: AbortSignal): Promise<void> => {
    const posted = await store.board.get(ports.migration, 'alert', 'sent')
    let sent = Number(posted?.body['position'] ?? 0)
    for (;;) {
      signal.throwIfAborted()
      const entries = await store.journal.after(sent, entriesPerPage, ports.migration).catch(() => [])
      for (const entry of entries) {
        const alert = alertOf(entry, ports.plan.name)
        if (alert) await deliver(ports, alert, send, signal)
        sent = entry.position
      }
      if (entries.length > 0)
        await store.board.put(ports.migration, 'alert', 'sent', { position: sent }).catch(() => undefined)
      if (entries.length < entriesPerPage) await ports.changed(lookMs, signal)
    }
  }
}

/** The alert that an entry of the journal is worth; null when it is worth none. */
export function alertOf(entry: JournalEntry, name: string): Alert | null {
  const rule = severities[entry.kind as EntryKind] as ((body: unknown) => Alert['severity'] | null) | undefined
  const severity = rule?.(entry.body) ?? null
  if (severity === null) return null
  const { migration, kind, summary: text, at, position } = entry
  return { migration, name, severity, kind, text, at, position }
}

const severities: { readonly [Kind in EntryKind]?: (body: EntryBodies[Kind]) => Alert['severity'] | null } = {
  'stage-entered': () => 'info',
  aborted: () => 'info',
  stopped: () => 'critical',
  'gate-breached': () => 'critical',
  throttle: (body) => (body.state === 'paused' ? 'warning' : null),
  'verification-finished': (body) => (body.mismatches > body.repaired ? 'critical' : null),
  routing: (body) => (body.note.event === 'undone' ? 'warning' : null),
}

async function deliver(ports: TrackPorts, alert: Alert, send: SendAlert, signal: AbortSignal): Promise<void> {
  for (let tries = 1; tries <= triesMax; tries += 1) {
    try {
      return await send(alert)
    } catch {
      await ports.clock.sleep(backoffMs(tries), signal)
    }
  }
}

/** An alert's receiver gets this long to answer. */
const sendTimeoutMs = 5_000

/** Posts alerts to a URL as JSON. Rejects with CF7010 unless it is answered with 2xx. */
export function webhookAlerts(url: string): SendAlert {
  return async (alert) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alert),
      signal: AbortSignal.timeout(sendTimeoutMs),
    })
    await answer.body?.cancel()
    if (!answer.ok) throw fail('CF7010', { status: answer.status })
  }
}
