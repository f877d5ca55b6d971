import { execFileSync } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'
import type { Figure } from './figures.ts'

export interface Machine {
  readonly lines: readonly string[]
}

/** What the figures were measured on. */
export async function machine(): Promise<Machine> {
  const versionOf = (program: string) => {
    try {
      return execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0]!
    } catch {
      return `${program}: not installed`
    }
  }
  return {
    lines: [
      `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]!.toFixed(1)} when the page was written`,
      `Node ${process.versions.node}; PostgreSQL as embedded (16, 18), and for the peers the version that they are built for`,
      ...['psql', 'pg_dump', 'pgcopydb'].map(versionOf),
    ],
  }
}

/** RESULTS.md: every figure asked for, also those that fall short. */
export function resultsPage(figures: readonly Figure[], failed: readonly string[], { lines }: Machine): string {
  const mark = (figure: Figure) => (figure.reached === null ? '' : figure.reached ? 'yes' : '**no**')
  return `# Measured

Written by \`npm run bench\`. Everything runs on one machine; peers run in turns with Crossfade, in the same run, and ratios are peer ÷ Crossfade: more is better.

${lines.map((line) => `- ${line}`).join('\n')}

| what | asked | median | spread | reached |
|---|---|---|---|---|
${figures.map((figure) => `| ${figure.what.replaceAll('|', '\\|')} | ${figure.asked} | ${figure.measured} | ${figure.spread} | ${mark(figure)} |`).join('\n')}
${failed.length === 0 ? '' : `\nNot measured:\n\n${failed.map((line) => `- ${line}`).join('\n')}\n`}`
}
