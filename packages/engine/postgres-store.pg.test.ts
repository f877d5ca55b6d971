import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { openControlStore } from './control-database.ts'
import { testStore } from './store-contract.ts'

const ends: (() => Promise<unknown>)[] = []
after(async () => {
  for (const end of ends.reverse()) await end()
})

testStore('in PostgreSQL', async () => {
  const database = await freshDatabase(await sharedTestCluster(), 'control')
  ends.push(() => database.drop())
  const store = await openControlStore(database.url)
  ends.push(() => store.close())
  // Leases run by the server's clock, which nobody can put forward.
  return { store, pass: (milliseconds) => sleep(milliseconds) }
})
