import { hostname, userInfo } from 'node:os'
import type { Asker, MigrationDetail, MigrationService } from '@crossfade/engine/contract.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { Command } from 'commander'
import type { OpenCrossfade } from '../wiring/open.ts'
import { type CommonOptions, common } from './command.ts'

export interface ControlOptions extends CommonOptions {
  readonly control?: string
}

export interface MigrationOptions extends ControlOptions {
  readonly migration?: string
}

/** `--control`, for all commands that look into or change a migration. */
export function withControl(command: Command, example: string): Command {
  return common(command, example).option(
    '--control <url>',
    'the control database; default CROSSFADE_CONTROL_URL, else an embedded one under .crossfade',
  )
}

/** `--control` and `--migration`. */
export function withMigration(command: Command, example: string): Command {
  return withControl(command, example).option(
    '-m, --migration <id>',
    'id or plan name; may be left out while there is only one',
  )
}

/** Opens the control database, runs `use`, and closes everything that was opened. */
export async function withCrossfade<Result>(
  options: ControlOptions,
  use: (crossfade: OpenCrossfade) => Promise<Result>,
): Promise<Result> {
  // Help, completion and wrong usage do not pay for loading the engine.
  const { openCrossfade } = await import('../wiring/open.ts')
  const crossfade = await openCrossfade({ control: options.control })
  try {
    return await use(crossfade)
  } finally {
    await crossfade.close()
  }
}

/** The migration that is meant: the named one, else the only one that is not over, else the only one. CF7001 or CF7003 otherwise. */
export async function chosenMigration(service: MigrationService, named: string | undefined): Promise<MigrationId> {
  if (named !== undefined) return service.find(named)
  const all = await service.list()
  const active = all.filter(({ status }) => status !== 'complete' && status !== 'aborted')
  const candidates = active.length > 0 ? active : all
  if (candidates.length === 0) throw fail('CF7001')
  if (candidates.length > 1 && active.length > 0) {
    throw fail('CF7003', { migrations: candidates.map(({ id, name }) => `${id} (${name})`).join(', ') })
  }
  return candidates.reduce((latest, other) => (other.createdAt > latest.createdAt ? other : latest)).id
}

/** Who asks: the person at this terminal. */
export function asker(): Asker {
  return { actor: `cli:${userName()}@${hostname()}` }
}

/** Whether the migration has ended, one way or the other. */
export function isOver(detail: Pick<MigrationDetail, 'status'>): boolean {
  return detail.status === 'complete' || detail.status === 'aborted'
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'unknown')
  }
}
