import { randomInt } from 'node:crypto'
import { Option } from 'commander'
import { exitCodes } from '../terminal/exit-codes.ts'
import { interruption } from '../terminal/interrupt.ts'
import { printNote, printText } from '../terminal/output.ts'
import { common, type Register } from './command.ts'
import { wholeNumber } from './options.ts'

interface Options {
  readonly shards: number
  readonly targets: number
  readonly tenants: number
  readonly rows: number
  readonly writesPerSecond: number
  readonly server: string
  readonly directory: string
  readonly seed: number
  readonly json?: boolean
}

export const registerSimulate: Register = (program, end) => {
  const command = program
    .command('simulate')
    .summary('start real shards with live traffic, to try a plan on')
    .description(
      'Starts source shards filled with a multi-tenant messaging system, empty target shards, and a client program that writes all the time and keeps a ledger. ' +
        'Writes a plan for them. Ctrl-C stops everything and says what the ledger proves.',
    )
    .option('--shards <n>', 'source shards', wholeNumber, 2)
    .option('--targets <n>', 'empty target shards', wholeNumber, 4)
    .option('--tenants <n>', 'tenants, skewed', wholeNumber, 240)
    .option('--rows <n>', 'rows in the source, about', wholeNumber, 100_000)
    .option('--writes-per-second <n>', 'writes of the client program', wholeNumber, 300)
    .option(
      '--server <url>',
      'the Crossfade server whose migration the client program follows',
      'http://127.0.0.1:7070',
    )
    .option('--directory <path>', 'where the plan and the ledger are written', '.')
    .addOption(
      new Option('--seed <n>', 'seed of the client program')
        .argParser(wholeNumber)
        .default(randomInt(2 ** 31), 'a random one'),
    )
  common(command, 'crossfade simulate --shards 2 --targets 4 --writes-per-second 500').action(
    async (options: Options) => {
      const { simulate } = await import('../simulate/run.ts')
      const simulation = await simulate({ ...options, say: printNote })
      if (!interruption.aborted) {
        await new Promise<void>((resolve) => interruption.addEventListener('abort', () => resolve(), { once: true }))
      }
      const proof = await simulation.stop()
      if (options.json) printText(JSON.stringify(proof))
      else
        printNote(
          `${proof.acknowledged} acknowledged writes: ${proof.lost} lost, ${proof.duplicated} duplicated, ${proof.errors} client errors`,
        )
      end(proof.lost + proof.duplicated === 0 ? exitCodes.fine : exitCodes.failure)
    },
  )
}
