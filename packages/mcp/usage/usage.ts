// The contract of usage recording: what happened, off the request's path.
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'

/** One request to an instance. Holds no argument, no answer, no secret. */
export interface UsageRecord {
  readonly userId: UserId
  readonly serviceType: ServiceType
  readonly instanceId: InstanceId
  /** The tool, or the MCP method where there is none. */
  readonly endpoint: string
  readonly method: string
  /** Of the upstream for tools; the HTTP status answered otherwise. */
  readonly statusCode: number
  readonly responseTimeMs: number
  readonly errorCode: string | null
  readonly atMs: number
}

export interface UsageRecorder {
  /** Takes the record or counts it as dropped. Never throws, never waits. */
  record(record: UsageRecord): void
  readonly dropped: number
  /** Writes what is waiting. */
  flush(): Promise<void>
  close(): Promise<void>
}
