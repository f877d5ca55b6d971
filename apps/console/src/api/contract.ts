/** What the API sends. The console knows the API's contract alone; these types are erased, so nothing of the server is bundled. */
export type {
  ChunkView,
  Command,
  CutoverView,
  JournalEntry,
  LiveEvent,
  MigrationDetail,
  MigrationStatus,
  MigrationSummary,
  SampleSeries,
  StreamView,
  TaskView,
  WorkerView,
} from '@crossfade/engine/contract.ts'
export type { Evidence } from '@crossfade/model/evidence.ts'
export type { Finding } from '@crossfade/model/finding.ts'
export type { Mismatch, TableVerification, VerificationReport } from '@crossfade/model/mismatch.ts'
export type { Side, Stage } from '@crossfade/model/stage.ts'

export interface Session {
  readonly name: string
  readonly role: 'viewer' | 'operator' | 'admin'
}

export interface Problem {
  readonly code: string
  readonly message: string
  readonly remedy: string
  readonly retry: boolean
}
