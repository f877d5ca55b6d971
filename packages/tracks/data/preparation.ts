import { fail } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import { asEpoch } from '@crossfade/model/ids.ts'
import type { StepPorts } from '../contract/ports.ts'
import type { Step } from '../contract/track.ts'
import { finished } from './finished.ts'

export const backupStep: Step = {
  name: 'backup',
  title: 'back up the source',
  async run(ports) {
    if (ports.plan.backup.mode === 'none') return
    await ports.tasks.add([{ name: 'backup', kind: 'backup', payload: {} }])
    await finished(ports, { kind: 'backup' }, (done) => ports.detail(done === 1 ? 'done' : 'running'))
    const [task] = await ports.tasks.list({ kind: 'backup' })
    return task?.result ?? undefined
  },
}

export const controlSchemaStep: Step = {
  name: 'control-schema',
  title: 'create the schema `crossfade` on every database',
  async run(ports) {
    // A migration that was taken back and goes up again begins with an empty schema, which remembers no epoch: what an earlier life still has in flight must not get in.
    const { epoch } = await ports.routing.current()
    const floor = { lease: await ports.tasks.newEpoch(), routing: asEpoch(epoch + 1) }
    await ports.plane.infrastructure.createControlSchema('source', floor)
    await ports.plane.infrastructure.createControlSchema('target', floor)
  },
}

/** Before the first snapshot makes the slots: a stream sees the catalog as it was at each change, its publication too. */
export const publishStep: Step = {
  name: 'publish',
  title: 'publish the tables of the source',
  async run(ports) {
    await ports.plane.infrastructure.createSlots('source')
  },
}

export const createSchemaStep: Step = {
  name: 'create-schema',
  title: 'create the tables on the target',
  async run(ports) {
    if (ports.plan.schema.mode === 'existing') return
    await report(ports, await ports.plane.infrastructure.createSchema())
  },
}

export const compareSchemasStep: Step = {
  name: 'compare-schemas',
  title: 'compare the schemas of both sides',
  async run(ports) {
    await report(ports, await ports.plane.infrastructure.compareSchemas())
  },
}

async function report(ports: StepPorts, findings: readonly Finding[]): Promise<void> {
  await ports.journal.findings(findings)
  const blocking = findings.filter((finding) => finding.severity === 'block')
  if (blocking.length > 0) throw fail('CF6009', { findings: blocking.length })
}
