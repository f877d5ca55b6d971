import type { TrackPorts } from '../contract/ports.ts'
import { tendVerification } from './verification.ts'

/** At rest at both ends nothing runs. */
export async function quietUpkeep(): Promise<void> {}

/** Wherever data flows it is verified, over and over. */
export async function standingUpkeep(ports: TrackPorts): Promise<void> {
  await tendVerification(ports)
}
