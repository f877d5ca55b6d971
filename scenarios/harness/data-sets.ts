import { existsSync, readFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'

const directory = fileURLToPath(new URL('../../../shared/data/', import.meta.url))

/** Whether the files of a data set lie beside the project; else why not, for a test's `skip`. */
export function missing(...files: readonly string[]): string | false {
  const absent = files.filter((file) => !existsSync(`${directory}${file}`))
  return absent.length === 0 ? false : `no ${absent.join(', ')} beside the project`
}

/** Pagila, into an empty database. Owners and languages of the machine it was dumped on are left out. */
export async function loadPagila(url: string): Promise<void> {
  const schema = readFileSync(`${directory}pagila-schema.sql`, 'utf8').replaceAll(
    /^(ALTER .* OWNER TO .*|COMMENT ON EXTENSION .*|CREATE (PROCEDURAL|OR REPLACE PROCEDURAL) LANGUAGE .*);$/gm,
    '',
  )
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(schema)
    // Rows go in the order of the dump, not in that of the foreign keys.
    await client.query('SET session_replication_role = replica')
    for (const part of partsOf(readFileSync(`${directory}pagila-data.sql`, 'utf8'))) {
      if (part.rows === null) await client.query(part.sql)
      else await pipeline([part.rows], client.query(copyFrom(part.sql)))
    }
    await client.query('ANALYZE')
  } finally {
    await client.end()
  }
}

/** Chinook, into an empty database: without the lines that make and enter one of its own. */
export async function loadChinook(url: string): Promise<void> {
  const script = readFileSync(`${directory}chinook.sql`, 'utf8').replaceAll(
    /^(DROP DATABASE .*|CREATE DATABASE .*|\\c .*)$/gm,
    '',
  )
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(script)
    await client.query('ANALYZE')
  } finally {
    await client.end()
  }
}

interface Part {
  readonly sql: string
  /** What follows a `COPY … FROM stdin`; null for other statements. */
  readonly rows: string | null
}

/** Splits what pg_dump wrote: statements up to each COPY, then its rows. */
function* partsOf(dump: string): Generator<Part> {
  let rest = dump
  for (;;) {
    const copy = /^COPY .* FROM stdin;\n/m.exec(rest)
    if (!copy) break
    yield { sql: rest.slice(0, copy.index), rows: null }
    const begin = copy.index + copy[0].length
    const end = rest.startsWith('\\.', begin) ? begin : rest.indexOf('\n\\.', begin) + 1
    yield { sql: copy[0], rows: rest.slice(begin, end) }
    rest = rest.slice(end + '\\.\n'.length)
  }
  yield { sql: rest, rows: null }
}
