import type { TokenRefresher } from '../instances/credential-keeper.ts'
import type { GuardOptions } from '../upstream/address-guard.ts'
import type { RefresherOptions } from './refresh.ts'

/** A refresher whose OAuth library is loaded for the first token that has to be renewed: starts do without it. `guard` says where token endpoints may be. */
export function refresherWhenNeeded(
  options: Omit<RefresherOptions, 'transport'>,
  guard: GuardOptions = {},
): TokenRefresher {
  let opened: Promise<TokenRefresher> | null = null
  const open = async (): Promise<TokenRefresher> => {
    const [{ createTokenRefresher }, { createTokenTransport }] = await Promise.all([
      import('./refresh.ts'),
      import('./authorization-server.ts'),
    ])
    const transport = createTokenTransport(guard)
    const refresher = createTokenRefresher({ ...options, transport })
    return {
      refresh: (instance, refusedSealedToken) => refresher.refresh(instance, refusedSealedToken),
      async close() {
        await refresher.close()
        await transport.close()
      },
    }
  }
  return {
    async refresh(instance, refusedSealedToken) {
      opened ??= open()
      return (await opened).refresh(instance, refusedSealedToken)
    },
    close: async () => (await opened)?.close(),
  }
}
