import type { Finding } from '@crossfade/model/finding.ts'
import type { ResolvedPlan, ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import type { Examination } from '@crossfade/plan/doctor.ts'
import { connect } from '@crossfade/postgres/connection/connect.ts'
import { previewSchema } from '@crossfade/postgres/schema/preview.ts'

/**
 * Adds to what the doctor found what the target's schema would lack, and what is in its way. A plan that does not resolve is returned as it is; so is one
 * whose databases cannot be reached, which the doctor has said already. Tables that are in the way or missing are the doctor's own.
 */
export async function withSchemaPreview(examination: Examination): Promise<Examination> {
  const { plan } = examination.resolution
  if (!plan) return examination
  const known = new Set(examination.findings.map(({ message }) => message))
  const isDoctors = ({ code, severity, subject }: Finding) =>
    (code === 'CF2207' && / table /.test(subject)) || (code === 'CF2210' && severity === 'block')
  const found = (await preview(plan)).filter((each) => !known.has(each.message) && !isDoctors(each))
  const weight: Record<Finding['severity'], number> = { block: 0, warn: 1, note: 2 }
  const findings = [...examination.findings, ...found].sort((a, b) => weight[a.severity] - weight[b.severity])
  return { ...examination, findings }
}

async function preview(plan: ResolvedPlan): Promise<readonly Finding[]> {
  const open = async (shard: ResolvedShard) => ({ id: shard.id, client: await connect({ shard, purpose: 'doctor' }) })
  const shards = [plan.source.shards[0]!, ...plan.target.shards]
  const opened = (await Promise.allSettled(shards.map(open))).flatMap((one) =>
    one.status === 'fulfilled' ? [one.value] : [],
  )
  try {
    if (opened.length < shards.length) return []
    const [source, ...targets] = opened
    return await previewSchema(plan, source!, targets)
  } finally {
    await Promise.all(opened.map(({ client }) => client.end().catch(() => undefined)))
  }
}
