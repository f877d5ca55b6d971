/**
 * The values of all, in order. Rejects with the first rejection, but only once nothing works any more: a session whose answer is still to come
 * must not be used again.
 */
export async function settled<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work)
  const values: T[] = []
  for (const result of results) {
    if (result.status === 'rejected') throw result.reason
    values.push(result.value)
  }
  return values
}
