import { randomInt } from 'node:crypto'
import { type Command, Option } from 'commander'
import { exitCodes } from '../terminal/exit-codes.ts'
import { interruption } from '../terminal/interrupt.ts'
import { printNote } from '../terminal/output.ts'
import type { TourEnd } from '../tour/run.ts'
import { common } from './command.ts'
import { wholeNumber } from './options.ts'

interface Options {
  readonly rows: number
  readonly writesPerSecond: number
  readonly port: number
  readonly seed: number
  readonly headless?: boolean
  readonly json?: boolean
}

/** `crossfade tour`, which `npm start` runs. Ends with code 1 unless everything that it proves holds. */
export function registerTour(program: Command, end: (code: number) => void): void {
  const command = program
    .command('tour')
    .description(
      'Move a live, sharded system on this machine from two shards to four, back, and forward again; ends with the proof',
    )
    .option('--rows <n>', 'rows in the source, about', wholeNumber, 300_000)
    .option('--writes-per-second <n>', 'writes of the client program', wholeNumber, 600)
    .option('--port <n>', 'port of the console', wholeNumber, 7070)
    .addOption(
      new Option('--seed <n>', 'seed of the client program')
        .argParser(wholeNumber)
        .default(randomInt(2 ** 31), 'a random one'),
    )
    .option('--headless', 'end when it is done, instead of leaving the console open')
  common(command, 'crossfade tour --headless --json').action(async (options: Options) => {
    const { runTour } = await import('../tour/run.ts')
    const tour = await runTour({ ...options, say: printNote, signal: interruption })
    report(tour)
    if (!options.headless) {
      printNote(`\nThe console stays open at ${tour.consoleUrl}; Ctrl-C ends it.`)
      await new Promise<void>((resolve) => interruption.addEventListener('abort', () => resolve(), { once: true }))
    }
    await tour.close()
    // The last line, so that a program that reads it need not look for it.
    if (options.json) process.stdout.write(`${JSON.stringify(tour.summary)}\n`)
    end(tour.holds ? exitCodes.fine : exitCodes.failure)
  })
}

function report(tour: TourEnd): void {
  const { summary, proof, leftovers } = tour
  const pause = summary.writePauseMs
  printNote('')
  printNote(tour.holds ? 'Everything held.' : 'NOT everything held.')
  printNote(
    `  ${summary.acknowledgedWrites.toLocaleString('en')} acknowledged writes: ${summary.lost} lost, ${summary.duplicated} duplicated, ${summary.clientErrors} client errors`,
  )
  printNote(
    `  ${summary.cutovers} cutovers and ${summary.retreats} retreat; held writes waited p50 ${pause.p50} ms, p99 ${pause.p99} ms, max ${pause.max} ms`,
  )
  printNote(
    `  ${summary.rowsCopied.toLocaleString('en')} rows copied, ${summary.rowsVerified.toLocaleString('en')} verified, ${summary.mismatches} mismatches, ${summary.leftovers} leftovers, ${summary.wallSeconds} s`,
  )
  for (const example of [...proof.examples, ...leftovers]) printNote(`  ${example}`)
}
