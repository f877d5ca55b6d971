import { createContext, type ReactNode, useContext } from 'react'
import type { Session } from '../api/contract.ts'
import { useData } from './use-data.ts'

type Role = Session['role']
const order: readonly Role[] = ['viewer', 'operator', 'admin']

const Current = createContext<Session | null>(null)

/** Asks once who is signed in; again when `token` changes. */
export function SessionProvider({ token, children }: { token: string | null; children: ReactNode }) {
  const { data } = useData<Session>('/session', token)
  return <Current value={data}>{children}</Current>
}

/** Null until it is known. */
export function useSession(): Session | null {
  return useContext(Current)
}

/** A sentence why the person may not do what needs this role; null when they may, or when the server has not said yet. */
export function useRefusal(needed: Role): string | null {
  const session = useSession()
  if (!session || order.indexOf(session.role) >= order.indexOf(needed)) return null
  return `it needs the role ${needed}; you are ${session.role}`
}
