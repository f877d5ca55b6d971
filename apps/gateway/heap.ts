// How much memory a process that serves may take for what it throws away again.
import { setFlagsFromString } from 'node:v8'

/**
 * Node's options for a process that serves (tools/bootstrap.mjs repeats them). Half of the space for young objects, in MB: V8 lets it grow to 64 twice on large machines, which a
 * server under load would fill without using processor time better.
 */
export const servingNodeOptions: readonly string[] = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=16',
]

/** By how much the heap may outgrow what lives in it before it is collected. V8 chooses a factor of up to four on large machines, which a server beside others pays for in memory. */
const growthPercentMax = 40

/** Has V8 collect the heap of this process before it is much larger than what lives in it: some per cent of processor time for a third of the memory. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercentMax}`)
}
