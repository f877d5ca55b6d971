import { memoryStore } from './memory-store.ts'
import { testStore } from './store-contract.ts'

testStore('in memory', async () => {
  let now = 1_000_000
  const sleep = (_milliseconds: number, signal?: AbortSignal) =>
    new Promise<void>((_resolve, reject) =>
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true }),
    )
  return {
    store: memoryStore({ now: () => now, sleep }),
    async pass(milliseconds) {
      now += milliseconds
    },
  }
})
