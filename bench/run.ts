// Runs every benchmark in turn, each as a process of its own, and writes bench/RESULTS.md. `npm run bench -- --json` prints all figures as its last line.
// Options: --only copy,apply (default: all), --quick (small sizes, one round: shows that the benchmarks run), --json.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Figure, figuresOf } from './figures.ts'
import { writeSection } from './results-page.ts'

const here = import.meta.dirname
/** In this order; each script's last line of output is one JSON object. */
const benchmarks: readonly {
  readonly name: string
  readonly args: readonly string[]
  readonly quick: readonly string[]
}[] = [
  { name: 'copy', args: [], quick: ['--rows', '100000', '--rounds', '1'] },
  { name: 'decode', args: [], quick: [] },
  { name: 'apply', args: [], quick: ['--rows', '20000', '--rounds', '1'] },
  { name: 'follow', args: [], quick: ['--rows', '20000', '--rounds', '1'] },
  { name: 'verify', args: [], quick: ['--rows', '100000', '--rounds', '1'] },
  { name: 'tour', args: [], quick: ['--rounds', '1', '--rows', '20000'] },
  { name: 'impact', args: [], quick: ['--windows', '2', '--window-seconds', '5'] },
  { name: 'takeover', args: [], quick: ['--rounds', '1'] },
]
/** One benchmark that takes longer than this is ended, and said so. */
const benchmarkMsMax = 30 * 60_000

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const wanted = options.only?.split(',')
const figures: Figure[] = []
const raw: Record<string, unknown> = {}
const failed: string[] = []
for (const benchmark of benchmarks) {
  if (wanted && !wanted.includes(benchmark.name)) continue
  process.stderr.write(`bench: ${benchmark.name}\n`)
  try {
    const result = await runScript(benchmark.name, options.quick ? benchmark.quick : benchmark.args)
    raw[benchmark.name] = result
    figures.push(...figuresOf(benchmark.name, result))
  } catch (error) {
    failed.push(`${benchmark.name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
if (!wanted && !options.quick) writeSection('migrations', figures, failed)
for (const figure of figures)
  process.stderr.write(
    `${figure.reached === null ? ' ' : figure.reached ? '✓' : '✗'} ${figure.what}: ${figure.measured} (${figure.asked})\n`,
  )
for (const line of failed) process.stderr.write(`! ${line}\n`)
if (options.json) process.stdout.write(`${JSON.stringify({ figures, failed, raw })}\n`)
process.exitCode = failed.length > 0 ? 1 : 0

function runScript(name: string, args: readonly string[]): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(here, `${name}.ts`), '--json', ...args],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        timeout: benchmarkMsMax,
      },
    )
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += String(chunk)
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      const last = output.trim().split('\n').at(-1) ?? ''
      if (code !== 0) return reject(new Error(signal ? `ended by ${signal}` : `exit code ${code}`))
      try {
        resolve(JSON.parse(last) as Record<string, unknown>)
      } catch {
        reject(new Error('its last line is no JSON object'))
      }
    })
  })
}
