import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Figure } from './figures.ts'

const resultsFile = join(import.meta.dirname, 'RESULTS.md')

/** The parts of the page, each written by a command of its own. */
const sections = {
  migrations: { title: 'Moving databases', command: 'npm run bench', machine: databaseMachine },
  mcp: { title: 'Serving MCP services', command: 'npm run bench:mcp', machine: plainMachine },
} as const

/** Writes a command's part of RESULTS.md: every figure asked for, also those that fall short. The other parts stay as they are. */
export function writeSection(name: keyof typeof sections, figures: readonly Figure[], failed: readonly string[]): void {
  const { title, command, machine } = sections[name]
  const mark = (figure: Figure) => (figure.reached === null ? '' : figure.reached ? 'yes' : '**no**')
  const table = figures
    .map(
      (figure) =>
        `| ${figure.what.replaceAll('|', '\\|')} | ${figure.asked} | ${figure.measured} | ${figure.spread} | ${mark(figure)} |`,
    )
    .join('\n')
  const missing = failed.length === 0 ? '' : `\n\nNot measured:\n\n${failed.map((line) => `- ${line}`).join('\n')}`
  const text = `## ${title}

Written by \`${command}\`.

${machine()
  .map((line) => `- ${line}`)
  .join('\n')}

| what | asked | median | spread | reached |
|---|---|---|---|---|
${table}${missing}`
  const page = readFileSync(resultsFile, 'utf8')
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`]
  const [before, rest] = page.split(begin)
  const after = rest!.split(end)[1]
  writeFileSync(resultsFile, `${before}${begin}\n\n${text}\n\n${end}${after}`)
}

function plainMachine(): string[] {
  return [
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]!.toFixed(1)} when this was written; load generator, upstream, database and server on the same machine`,
    `Node ${process.versions.node}`,
  ]
}

function databaseMachine(): string[] {
  return [
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]!.toFixed(1)} when this was written`,
    `Node ${process.versions.node}; PostgreSQL as embedded (16, 18), and for the peers the version that they are built for`,
    ...['psql', 'pg_dump', 'pgcopydb'].map(versionOf),
  ]
}

function versionOf(program: string): string {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0]!
  } catch {
    return `${program}: not installed`
  }
}
