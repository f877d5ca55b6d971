import { createReadStream, createWriteStream, type WriteStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** One acknowledged write, as the client program saw it: what the row must look like from now on. */
export type LedgerEntry =
  /** What the row was before the first write; no write of the client's. */
  | {
      readonly kind: 'known'
      readonly table: string
      readonly tenant: string
      readonly key: LedgerKey
      readonly columns: Readonly<Record<string, string | null>>
    }
  /** These columns (as text, null for NULL) of the row with this key. */
  | {
      readonly kind: 'row'
      readonly table: string
      readonly tenant: string
      readonly key: LedgerKey
      readonly columns: Readonly<Record<string, string | null>>
    }
  | { readonly kind: 'gone'; readonly table: string; readonly tenant: string; readonly key: LedgerKey }
  /** A counter was raised; unlike a value, it shows a write that was applied twice. */
  | {
      readonly kind: 'raise'
      readonly table: string
      readonly tenant: string
      readonly key: LedgerKey
      readonly column: string
      readonly by: number
    }
  /** The connection broke before the answer: the row may or may not have changed, and is not judged. */
  | { readonly kind: 'unknown'; readonly table: string; readonly tenant: string; readonly key: LedgerKey }

export type LedgerKey = Readonly<Record<string, string>>

/** What a row must be when all is done. */
export type Expectation =
  | {
      readonly table: string
      readonly tenant: string
      readonly key: LedgerKey
      readonly state: 'there'
      readonly columns: Record<string, string | null>
    }
  | { readonly table: string; readonly tenant: string; readonly key: LedgerKey; readonly state: 'gone' }
  | { readonly table: string; readonly tenant: string; readonly key: LedgerKey; readonly state: 'unknown' }

/**
 * The book of acknowledged writes, kept in a file so that it lives outside every database and outlives the client program.
 * Entries of one key are written in the order in which the writes were acknowledged.
 */
export class LedgerWriter {
  readonly #file: WriteStream
  entries = 0

  constructor(path: string) {
    this.#file = createWriteStream(path, { flags: 'a', highWaterMark: 1 << 20 })
  }

  write(entry: LedgerEntry): void {
    this.entries++
    this.#file.write(`${JSON.stringify(entry)}\n`)
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#file.end((error?: Error | null) => (error ? reject(error) : resolve())),
    )
  }
}

/** Reads the whole book and says what each row it names must be now, and how many writes were acknowledged. A torn last line is ignored. */
export async function readLedger(
  path: string,
): Promise<{ expectations: Map<string, Expectation>; acknowledged: number }> {
  const expectations = new Map<string, Expectation>()
  let acknowledged = 0
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (!line.endsWith('}')) continue
    const entry = JSON.parse(line) as LedgerEntry
    if (entry.kind !== 'unknown' && entry.kind !== 'known') acknowledged++
    const id = `${entry.table} ${JSON.stringify(entry.key)}`
    expectations.set(id, fold(expectations.get(id), entry))
  }
  return { expectations, acknowledged }
}

function fold(before: Expectation | undefined, entry: LedgerEntry): Expectation {
  const { table, tenant, key } = entry
  if (entry.kind === 'gone') return { table, tenant, key, state: 'gone' }
  // A broken connection leaves a counter in doubt for good; a row is certain again with its next acknowledged full write.
  if (entry.kind === 'unknown') return { table, tenant, key, state: 'unknown' }
  if (entry.kind === 'row' || entry.kind === 'known') {
    const columns = before?.state === 'there' ? { ...before.columns, ...entry.columns } : { ...entry.columns }
    return { table, tenant, key, state: 'there', columns }
  }
  if (before?.state !== 'there') return { table, tenant, key, state: 'unknown' }
  // Where the counter stood is not known since a connection broke.
  if (!Object.hasOwn(before.columns, entry.column)) return before
  const raised = Number(before.columns[entry.column] ?? 0) + entry.by
  return { ...before, columns: { ...before.columns, [entry.column]: String(raised) } }
}
