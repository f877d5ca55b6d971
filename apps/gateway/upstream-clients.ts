// OAuth clients that the administrator has registered at upstreams, kept in the database.
import { redirectUri } from '@crossfade/mcp/authorization/redirect-uri.ts'
import {
  listClients,
  removeClient,
  type StoredClient,
  storeClient,
} from '@crossfade/mcp/authorization/stored-clients.ts'
import { fail } from '@crossfade/model/failure.ts'
import { parseServiceType, type ServiceType } from '@crossfade/model/platform-ids.ts'
import { masterKeys } from '@crossfade/vault/master-keys.ts'
import { asKeeper, everybodyKnows, type InstallationOptions, readBaseUrl } from './as-keeper.ts'

const clientIdCharactersMax = 500
/** Of what a person gave as a name, what is repeated. */
const nameCharactersMax = 60

export interface ListedClient extends StoredClient {
  /** What is registered for it at the upstream. */
  readonly redirectUri: string
}

export interface SetClient extends InstallationOptions {
  readonly service: string
  readonly clientId: string
  /** Null: a public client, which PKCE alone protects. */
  readonly clientSecret: string | null
}

/** All stored clients, by service. Secrets are never read. */
export function storedClients(options: InstallationOptions): Promise<readonly ListedClient[]> {
  return asKeeper(options, async (keeper) => {
    const baseUrl = await readBaseUrl(keeper)
    return (await listClients(keeper)).map((client) => ({
      ...client,
      redirectUri: redirectUri(baseUrl, client.serviceType),
    }))
  })
}

/** Stores a client, its secret sealed under the master key; every worker uses it then. Rejects with CF14022 (an id that none can be), CF12013, CF12020, CF11xxx. */
export function setClient(options: SetClient): Promise<{ readonly redirectUri: string }> {
  const { clientId, clientSecret } = options
  const serviceType = serviceTypeOf(options.service)
  if (clientId.length === 0 || clientId.length > clientIdCharactersMax || !/^[\x20-\x7e]+$/.test(clientId)) {
    throw fail('CF14022', { reason: `it must have 1 to ${clientIdCharactersMax} printable characters` })
  }
  return asKeeper(options, async (keeper, home, platform) => {
    await storeClient(keeper, masterKeys({ defaultFile: home.masterKeyFile }), serviceType, { clientId, clientSecret })
    await everybodyKnows(platform)
    return { redirectUri: redirectUri(await readBaseUrl(keeper), serviceType) }
  })
}

/** Takes a client out; no worker uses it then. False when none was stored. */
export function unsetClient(options: InstallationOptions & { readonly service: string }): Promise<boolean> {
  const serviceType = serviceTypeOf(options.service)
  return asKeeper(options, async (keeper, _home, platform) => {
    const wasThere = await removeClient(keeper, serviceType)
    await everybodyKnows(platform)
    return wasThere
  })
}

function serviceTypeOf(name: string): ServiceType {
  const type = parseServiceType(name)
  if (type === null) throw fail('CF12013', { service: name.slice(0, nameCharactersMax) })
  return type
}
