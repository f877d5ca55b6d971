// Which OAuth client the platform is at an upstream. Registered there by the administrator; here by environment or table.

import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { KeyRing } from '@crossfade/vault/key-ring.ts'
import type pg from 'pg'
import type { OAuthClient } from './oauth-client.ts'
import { readClient } from './stored-clients.ts'

export interface UpstreamClients {
  /** The client for a service, or null when none is configured. Rejects with CF11xxx when its secret can't be unwrapped. */
  find(serviceType: ServiceType): Promise<OAuthClient | null>
  /** What is held of a service may be out of date. */
  forget(serviceType: string): void
}

/** How long a client read from the table is held, where nobody tells of a change. */
const clientTtlMs = 10_000

/** `CROSSFADE_MCP_OAUTH_GITHUB`: what the names of a service's variables begin with. */
export function clientVariable(serviceType: ServiceType): string {
  return `CROSSFADE_MCP_OAUTH_${serviceType.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`
}

/**
 * The client that the installation is for a service; null when none is configured. What one person imported has none: its token endpoint is of that person's choice and
 * would be sent the secret, and its name may be so near to another's that both have the same variable.
 */
export async function clientFor(clients: UpstreamClients, config: ServiceConfig): Promise<OAuthClient | null> {
  return config.owner === undefined ? clients.find(config.serviceType) : null
}

/** Clients of the environment, `CROSSFADE_MCP_OAUTH_<SERVICE>_CLIENT_ID` and `_CLIENT_SECRET`, before those of the table `upstream_clients`. `pool` may be of any role that serves. */
export function configuredClients(
  environment: Readonly<Record<string, string | undefined>>,
  stored: { readonly pool: pg.Pool; readonly keys: KeyRing } | null,
): UpstreamClients {
  const held = new Map<ServiceType, { client: OAuthClient | null; untilMs: number }>()
  let changes = 0
  return {
    async find(serviceType) {
      const variable = clientVariable(serviceType)
      const clientId = environment[`${variable}_CLIENT_ID`]
      if (clientId) return { clientId, clientSecret: environment[`${variable}_CLIENT_SECRET`] || null }
      if (stored === null) return null
      const known = held.get(serviceType)
      if (known && Date.now() < known.untilMs) return known.client
      const before = changes
      const client = await readClient(stored.pool, stored.keys, serviceType)
      // What was changed while it was read may not be in it.
      if (changes === before) held.set(serviceType, { client, untilMs: Date.now() + clientTtlMs })
      return client
    },
    forget(serviceType) {
      changes += 1
      held.delete(serviceType as ServiceType)
    },
  }
}
