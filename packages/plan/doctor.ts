import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { CatalogReader, WriteRate } from '@crossfade/pipeline/catalog.ts'
import { checkCapacity } from './doctor/capacity.ts'
import { asFinding } from './doctor/finding.ts'
import { checkObjects } from './doctor/objects.ts'
import { checkRoles } from './doctor/roles.ts'
import { checkRows } from './doctor/rows.ts'
import { checkServers } from './doctor/servers.ts'
import type { Subject } from './doctor/subject.ts'
import { checkTables } from './doctor/tables.ts'
import type { LoadedPlan } from './load.ts'
import { type Resolution, resolve } from './resolve.ts'
import { type Sessions, type Survey, withSurvey } from './survey.ts'

/** How long the write rate of the sources is watched by default. */
const sampleMsDefault = 2000

export interface DoctorOptions {
  /** How long the sources' write rate is watched; 0 leaves the forecast of the stream out. */
  readonly sampleMs?: number
}

export interface Examination {
  /** Blocking ones first, then warnings, then notes. */
  readonly findings: readonly Finding[]
  readonly resolution: Resolution
}

/** Examines everything that could go wrong, on every database of the plan, and changes nothing. A database that cannot be reached is a finding like any other. */
export async function examine(
  loaded: LoadedPlan,
  reader: CatalogReader,
  options: DoctorOptions = {},
): Promise<Examination> {
  return withSurvey(loaded, reader, async (survey, sessions) => {
    const writeRates = await sampleWrites(survey, sessions, options.sampleMs ?? sampleMsDefault)
    const resolution = resolve(loaded, survey, writeRates.size > 0 ? writeRates : null)
    const subject: Subject = { loaded, survey, resolution, sessions }
    const findings = [
      ...resolution.problems.map((problem) => asFinding(problem, 'block')),
      ...resolution.remarks.map((remark) => asFinding(remark, 'warn')),
      ...checkServers(subject),
      ...checkRoles(subject),
      ...checkTables(subject),
      ...checkObjects(subject),
      ...(await checkRows(subject)),
      ...checkCapacity(subject, writeRates),
    ]
    return { findings: inOrder(findings), resolution }
  })
}

async function sampleWrites(
  survey: Survey,
  sessions: Sessions,
  sampleMs: number,
): Promise<ReadonlyMap<ShardId, WriteRate>> {
  const rates = new Map<ShardId, WriteRate>()
  if (sampleMs === 0) return rates
  await Promise.all(
    survey.source.shards.map(async ({ id }) => {
      const rate = await sessions.get(id)?.writeRate(sampleMs)
      if (rate) rates.set(id, rate)
    }),
  )
  return rates
}

const weight: Record<Finding['severity'], number> = { block: 0, warn: 1, note: 2 }

function inOrder(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => weight[a.severity] - weight[b.severity])
}
