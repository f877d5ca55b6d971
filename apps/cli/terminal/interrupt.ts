const controller = new AbortController()

/** Aborted by the first Ctrl-C (or SIGTERM): commands end cleanly. The second one ends the process at once. */
export const interruption: AbortSignal = controller.signal

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort(new Error('interrupted'))
  })
}
