import { median } from './median.ts'

/** One line of the table in RESULTS.md: what was asked for, and what was measured. */
export interface Figure {
  readonly what: string
  readonly asked: string
  /** The median, as people read it. */
  readonly measured: string
  /** Least and most of the runs; empty where there was one. */
  readonly spread: string
  /** Null where nothing was asked for or a peer was missing. */
  readonly reached: boolean | null
}

type Result = Record<string, unknown>

/** Turns a script's result into lines of the table. */
export function figuresOf(name: string, result: Result): readonly Figure[] {
  return (readers[name] ?? (() => []))(result)
}

const readers: Readonly<Record<string, (result: Result) => readonly Figure[]>> = {
  copy(result) {
    const ratios = result['ratios'] as Record<string, number | null>
    const rows = Number(result['rows']).toLocaleString('en')
    return [
      ratio(
        `copy ${rows} rows, whole job with primary key and indexes, against psql | psql`,
        ratios['wholeAgainstPsql'],
        1.5,
      ),
      ratio('… data phase alone', ratios['dataAgainstPsql'], 1.8),
      ratio('… whole job against pg_dump -Fd -j2 | pg_restore -j2', ratios['wholeAgainstDumpRestore'], 3),
      ratio('… whole job against pgcopydb clone', ratios['wholeAgainstPgcopydb'], 2),
      ratio('copy with a row transform, against psql | psql', ratios['transformAgainstPsql'], 0.9),
    ]
  },
  decode: (result) => [
    rate('changes decoded', Number(result['decodedRowsPerSecond']), null),
    rate('changes decoded and assembled into transactions', Number(result['assembledRowsPerSecond']), null),
  ],
  apply(result) {
    const runs = result['runs'] as Record<string, number[]>
    return [
      rate('changes applied: inserts', Number(result['insertsPerSecond']), 60_000, runs['inserts']),
      rate(
        'changes applied: inserts, updates, deletes in equal parts',
        Number(result['mixedPerSecond']),
        30_000,
        runs['mixed'],
      ),
    ]
  },
  follow: (result) => [ratio('changes applied, against pgcopydb follow', result['ratio'] as number | null, null)],
  verify: (result) => [
    rate(
      'verification of equal tables',
      Number(result['rowsPerSecond']),
      1_000_000,
      result['runs'] as number[] | undefined,
    ),
    plain(
      'memory of the verifying process, table ten times as large',
      'flat',
      `${String(result['memoryGrowthMb'])} MB more`,
      Number(result['memoryGrowthMb']) <= 32,
    ),
  ],
  tour(result) {
    const runs = result['runs'] as {
      writePauseMs: { p99: number; max: number }
      clientErrors: number
      lost: number
      duplicated: number
      wallSeconds: number
    }[]
    const p99 = runs.map((run) => run.writePauseMs.p99)
    const most = runs.map((run) => run.writePauseMs.max)
    const wall = runs.map((run) => run.wallSeconds)
    const sum = (of: (run: (typeof runs)[number]) => number) => runs.reduce((total, run) => total + of(run), 0)
    return [
      limit(`write pause of a cutover at ${String(result['writesPerSecond'])} writes/s, p99`, p99, 100, 'ms'),
      limit('… max', most, 500, 'ms'),
      plain(
        '… client errors, lost, duplicated',
        '0',
        `${sum((run) => run.clientErrors)}, ${sum((run) => run.lost)}, ${sum((run) => run.duplicated)}`,
        sum((run) => run.clientErrors + run.lost + run.duplicated) === 0,
      ),
      limit('npm start -- --headless --json at its default size', wall, 120, 's'),
      plain(
        '… memory of the process that does it all (worker, API, tour)',
        '–',
        `${String(result['residentMb'])} MB`,
        null,
      ),
    ]
  },
  impact(result) {
    const value = Number(result['p95Ratio'])
    return [
      plain(
        'live traffic while migrating with the budget at 5 %: p95 against without',
        '≤ 1.05',
        value.toFixed(3),
        value <= 1.05,
        `${String(result['least'])} – ${String(result['most'])}`,
      ),
      limit('memory of a worker that copies, at its peak', [Number(result['workerMb'])], 300, 'MB'),
    ]
  },
  takeover(result) {
    const times = result['milliseconds'] as number[]
    const figure = limit('takeover after kill -9', times, 6_000, 'ms')
    // The slowest one counts: it is what a stream may stand still for.
    return [{ ...figure, reached: Math.max(...times) <= 6_000 }]
  },
}

function ratio(what: string, value: number | null | undefined, asked: number | null): Figure {
  const known = value ?? null
  const reached = known === null || asked === null ? null : known >= asked
  return {
    what,
    asked: asked === null ? '–' : `≥ ${asked}×`,
    measured: known === null ? 'skipped: not installed' : `${known.toFixed(2)}×`,
    spread: '',
    reached,
  }
}

function rate(what: string, value: number, asked: number | null, runs: readonly number[] = []): Figure {
  const text = (rows: number) => `${Math.round(rows).toLocaleString('en')} rows/s`
  return {
    what,
    asked: asked === null ? '–' : `≥ ${text(asked)}`,
    measured: text(value),
    spread: spreadOf(runs, text),
    reached: asked === null ? null : value >= asked,
  }
}

function limit(what: string, values: readonly number[], asked: number, unit: string): Figure {
  const text = (value: number) => `${Math.round(value * 10) / 10} ${unit}`
  const value = median(values)
  return {
    what,
    asked: `≤ ${text(asked)}`,
    measured: text(value),
    spread: spreadOf(values, text),
    reached: value <= asked,
  }
}

function plain(what: string, asked: string, measured: string, reached: boolean | null, spread = ''): Figure {
  return { what, asked, measured, spread, reached }
}

function spreadOf(values: readonly number[], text: (value: number) => string): string {
  return values.length < 2 ? '' : `${text(Math.min(...values))} – ${text(Math.max(...values))}`
}
