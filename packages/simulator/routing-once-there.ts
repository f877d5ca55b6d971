import { httpRouting } from '@crossfade/client/http-routing.ts'
import type { RoutingSource } from '@crossfade/client/routing-source.ts'
import type { Routing } from '@crossfade/routing/routing.ts'

/** How often the server is asked whether somebody has started a migration. */
const lookEveryMs = 500
const requestMsMax = 2_000

/**
 * The routing of a system that nobody moves yet: the source answers for everything. Once a server at `serverUrl` knows a migration that is under way, its routing is followed.
 * For the simulator, whose traffic starts before the person has written a plan.
 */
export function routingOnceThere(serverUrl: string, first: Routing): RoutingSource {
  let followed: RoutingSource | null = null
  let looking: ReturnType<typeof setTimeout> | undefined
  let closed = false

  async function look(listener: (routing: Routing) => void): Promise<void> {
    const id = await migrationUnderWay(serverUrl)
    if (closed) return
    if (id === null) {
      looking = setTimeout(() => void look(listener), lookEveryMs)
      return
    }
    followed = httpRouting({ url: `${serverUrl}/api/v1/migrations/${id}` })
    await followed.start(listener).catch(() => {
      followed = null
      looking = setTimeout(() => void look(listener), lookEveryMs)
    })
  }

  return {
    async start(listener) {
      listener(first)
      void look(listener)
    },
    refresh: async () => followed?.refresh(),
    async close() {
      closed = true
      clearTimeout(looking)
      await followed?.close()
    },
  }
}

async function migrationUnderWay(serverUrl: string): Promise<string | null> {
  try {
    const answer = await fetch(`${serverUrl}/api/v1/migrations`, { signal: AbortSignal.timeout(requestMsMax) })
    const migrations = (await answer.json()) as { id: string; status: string }[]
    return migrations.find(({ status }) => status !== 'complete' && status !== 'aborted')?.id ?? null
  } catch {
    return null
  }
}
