/**
 * Makes of `work` something that runs once at a time, however often it is asked for. Who asks while it runs gets the next run, which begins after they asked and which all who ask meanwhile share: what
 * they changed before they asked is seen by it. Rejects with what its run rejects with; a run that failed keeps none from the next.
 */
export function oneAtATime<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<Result> | null = null
  const begin = () => {
    next = null
    const run = work()
    running = run
    return run
  }
  return () => {
    next ??= running.then(begin, begin)
    return next
  }
}
