import { randomBytes } from 'node:crypto'
import type { Brand } from './brand.ts'

/** One migration: a resolved plan that is being, or has been, carried out. `mig_` and 12 lower-case letters or digits. */
export type MigrationId = Brand<string, 'MigrationId'>
/** A source or target database as the plan names it, unique over both sides (`source/a`, `target/0`). */
export type ShardId = Brand<string, 'ShardId'>
/** One process that takes work. Unique for each start of the process. */
export type WorkerId = Brand<string, 'WorkerId'>
/** Grows by one with every new holder of a lease; a write that carries an older one is refused. */
export type Epoch = Brand<number, 'Epoch'>

const alphabet = '0123456789abcdefghijklmnopqrstuv'

function randomName(length: number): string {
  let name = ''
  for (const byte of randomBytes(length)) name += alphabet[byte & 31]
  return name
}

/** A new migration id; 60 random bits, so ids never meet. */
export function newMigrationId(): MigrationId {
  return `mig_${randomName(12)}` as MigrationId
}

/** A new worker id; `host` is kept readable because people look for it in `status`. */
export function newWorkerId(host: string, pid: number): WorkerId {
  return `${host}:${pid}:${randomName(6)}` as WorkerId
}

export const asMigrationId = (text: string): MigrationId => text as MigrationId
export const asShardId = (text: string): ShardId => text as ShardId
export const asEpoch = (value: number): Epoch => value as Epoch
