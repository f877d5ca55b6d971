// The tour (`npm start -- --headless --json`), several times: the write pause of its cutovers, what was lost, how long it took, and the memory of its process.
// Options: --rounds N (3), --rows N, --json. The last line is one JSON object.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { TourSummary } from 'crossfade/tour/summary.ts'
import { peakMegabytes } from './resident-memory.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    rows: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const cli = fileURLToPath(new URL('../apps/cli/main.ts', import.meta.url))
const port = 7_171
const writesPerSecond = 600
const memoryEveryMs = 250

const runs: TourSummary[] = []
let residentMb = 0
for (let round = 0; round < Number(options.rounds); round += 1) runs.push(await tour())
process.stdout.write(`${JSON.stringify({ benchmark: 'tour', writesPerSecond, residentMb, runs })}\n`)

function tour(): Promise<TourSummary> {
  return new Promise((resolve, reject) => {
    const args = [
      '--disable-warning=ExperimentalWarning',
      cli,
      'tour',
      '--headless',
      '--json',
      '--port',
      String(port),
      '--writes-per-second',
      String(writesPerSecond),
    ]
    const child = spawn(process.execPath, [...args, ...(options.rows ? ['--rows', options.rows] : [])], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += String(chunk)
    })
    const watching = setInterval(() => {
      residentMb = Math.max(residentMb, peakMegabytes(child.pid!))
    }, memoryEveryMs)
    child.once('close', () => {
      clearInterval(watching)
      try {
        resolve(JSON.parse(output.trim().split('\n').at(-1) ?? '') as TourSummary)
      } catch {
        reject(new Error('the tour ended without its figures'))
      }
    })
  })
}
