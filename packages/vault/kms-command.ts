// Any key-management service by a program of the operator's: JSON in, JSON out. No cloud's SDK is part of Crossfade.
import { spawn } from 'node:child_process'
import { fail } from '@crossfade/model/failure.ts'
import { type KeyRing, keyIdPattern } from './key-ring.ts'
import type { KeyEncryptionKey } from './vault.ts'

/** A KMS answers in tens of milliseconds; a program that starts an interpreter takes longer. */
const commandMsMax = 10_000
const answerBytesMax = 64 * 1024
/** Programs at once, whatever waits for a key. */
const commandsMax = 4

/**
 * Keys in a KMS. For each operation the program gets `{"operation": "wrap" | "unwrap", "keyId", "data", "context"}` and an end of file on its standard input, `data` and `context` in base64,
 * and answers `{"data": "…"}` on its standard output with exit code 0. `context` must be authenticated with the data (AWS: encryption context; Google Cloud: additional authenticated data).
 * `command` is split at spaces; no shell takes part. Rejects with CF11011. What the program prints as errors is not passed on: it may hold a key.
 */
export function commandKeyRing(command: string, keyIds: readonly string[], options: { msMax?: number } = {}): KeyRing {
  const words = command.split(' ').filter((word) => word !== '')
  const ids = keyIds.map((id) => id.trim())
  for (const id of ids) {
    if (!keyIdPattern.test(id))
      throw fail('CF11006', { where: 'CROSSFADE_MCP_KMS_KEY_IDS', reason: 'an id is empty or malformed' })
  }
  const gate = new Gate(commandsMax)
  const run = (request: object) => gate.run(() => runCommand(words, request, options.msMax ?? commandMsMax))
  const keys = new Map(ids.map((id) => [id, commandKey(id, run)]))
  return { current: keys.get(ids[0]!)!, origin: 'the KMS command', find: (id) => keys.get(id) }
}

function commandKey(id: string, run: (request: object) => Promise<Buffer>): KeyEncryptionKey {
  const ask = (operation: 'wrap' | 'unwrap', data: Buffer, associated: Buffer) =>
    run({ operation, keyId: id, data: data.toString('base64'), context: associated.toString('base64') })
  return {
    id,
    wrap: (dataKey, associated) => ask('wrap', dataKey, associated),
    unwrap: (wrapped, associated) => ask('unwrap', wrapped, associated),
  }
}

function runCommand(words: readonly string[], request: object, msMax: number): Promise<Buffer> {
  return new Promise((settle, reject) => {
    const refuse = (reason: string) => reject(fail('CF11011', { reason }))
    const child = spawn(words[0] ?? '', words.slice(1), { stdio: ['pipe', 'pipe', 'ignore'] })
    const chunks: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      refuse(`it did not answer within ${msMax} ms`)
    }, msMax)
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      refuse(`it can't be started (${error.code ?? 'unknown'})`)
    })
    // It may end without reading: its exit code says why.
    child.stdin.on('error', () => undefined)
    child.stdin.end(JSON.stringify(request))
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > answerBytesMax) {
        child.kill('SIGKILL')
        refuse(`it answered more than ${answerBytesMax} bytes`)
      } else chunks.push(chunk)
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (code !== 0) return refuse(`it ended with ${signal ?? `exit code ${code}`}`)
      const answer = Buffer.concat(chunks)
      const data = dataOf(answer)
      answer.fill(0)
      for (const chunk of chunks) chunk.fill(0)
      if (data === undefined) refuse('its answer is not {"data": "<base64>"}')
      else settle(data)
    })
  })
}

function dataOf(answer: Buffer): Buffer | undefined {
  try {
    const { data } = JSON.parse(answer.toString('utf8')) as { data?: unknown }
    if (typeof data !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(data)) return undefined
    return Buffer.from(data, 'base64')
  } catch {
    return undefined
  }
}

/** Lets so many run at once; the others wait in their order. */
class Gate {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(places: number) {
    this.#free = places
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((enter) => this.#waiting.push(enter))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free += 1
    }
  }
}
