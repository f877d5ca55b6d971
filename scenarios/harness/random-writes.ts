import { createClient, type ShardClient } from '@crossfade/client/client.ts'
import { databaseRouting } from '@crossfade/client/database-routing.ts'
import type { MigrationDetail } from '@crossfade/engine/contract.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import { reasonOf } from '@crossfade/model/failure.ts'

/** One kind of write: gives its statement and values afresh each time. */
export type Write = (random: () => number) => {
  readonly sql: string
  readonly values: readonly unknown[]
}

export interface RandomWritesOptions {
  readonly controlUrl: string
  readonly migration: MigrationDetail
  readonly urls: Readonly<Record<string, string>>
  readonly writes: readonly Write[]
  readonly random: () => number
  /** Milliseconds between two writes of each of the writers. */
  readonly everyMs: number
  readonly writers: number
}

/** A client program that writes at random, through the client library, to whoever answers; it knows nothing of the migration. */
export class RandomWrites {
  readonly #options: RandomWritesOptions
  readonly #client: ShardClient
  #stopping = false
  #loops: readonly Promise<void>[] = []
  acknowledged = 0
  readonly errors: string[] = []

  private constructor(options: RandomWritesOptions, client: ShardClient) {
    this.#options = options
    this.#client = client
  }

  static async start(options: RandomWritesOptions): Promise<RandomWrites> {
    const client = await createClient({
      routing: databaseRouting({ connectionString: options.controlUrl, migration: options.migration.id }),
      shards: Object.fromEntries(
        Object.entries(options.urls).map(([shard, connectionString]) => [shard, { connectionString }]),
      ),
    })
    const writes = new RandomWrites(options, client)
    writes.go()
    return writes
  }

  go(): void {
    this.#stopping = false
    this.#loops = Array.from({ length: this.#options.writers }, () => this.#loop())
  }

  /** Finishes what is under way. `go` starts again. */
  async rest(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#loops)
  }

  async end(): Promise<void> {
    await this.rest()
    await this.#client.end()
  }

  async #loop(): Promise<void> {
    const { writes, random, everyMs } = this.#options
    while (!this.#stopping) {
      const { sql, values } = writes[Math.floor(random() * writes.length)]!(random)
      try {
        await this.#client.query(null, sql, values)
        this.acknowledged += 1
      } catch (error) {
        this.errors.push(`${sql}: ${reasonOf(error)}`)
      }
      await systemClock.sleep(everyMs)
    }
  }
}
