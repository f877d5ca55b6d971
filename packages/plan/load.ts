import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import { LineCounter, parseDocument } from 'yaml'
import { importPlanModule } from './plan-module.ts'
import { type PlanDocument, PlanSchema } from './schema.ts'
import { type TransformSpec, transformerOf } from './transform/from-plan.ts'
import type { Transformer } from './transform/transformer.ts'
import { explain, placeOf } from './validation.ts'

/** A plan as the user wrote it, read and found valid in itself; nothing was asked of any database yet. */
export interface LoadedPlan {
  /** Absolute. */
  readonly path: string
  readonly sha256: string
  readonly document: PlanDocument
  /** By table, as the plan names them. */
  readonly transforms: ReadonlyMap<string, Transformer>
  /** `move.plan.yaml:12` for YAML and JSON; the file alone for programs. */
  locate(path: readonly (string | number)[]): string
}

const programs = ['.ts', '.mts', '.js', '.mjs']
const documents = ['.yaml', '.yml', '.json']

/**
 * Reads a plan from a TypeScript, JavaScript, YAML or JSON file.
 * Rejects with CF1001 (cannot be read), CF1002 (not valid, with the place), CF1004 (a password inside), CF1005 (exports no plan) or CF103x (a transformer).
 */
export async function loadPlan(file: string): Promise<LoadedPlan> {
  const path = resolve(file)
  const extension = extname(path)
  if (!programs.includes(extension) && !documents.includes(extension)) {
    throw fail('CF1001', { path: file, reason: `it is none of ${[...programs, ...documents].join(', ')}` })
  }
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : reasonOf(error)
    throw fail('CF1001', { path: file, reason })
  }
  const sha256 = createHash('sha256').update(text).digest('hex')
  if (documents.includes(extension)) return loadDocument(path, file, text, sha256)
  const locate = () => file
  return accept(await importPlanModule(path, file, sha256), { path, sha256, locate })
}

/** Checks a plan that a program made; `locate` says where its parts were written. */
export function accept(value: unknown, origin: Pick<LoadedPlan, 'path' | 'sha256' | 'locate'>): LoadedPlan {
  const { document, transforms } = takeTransformsOut(value)
  refusePasswords(document, origin.locate)
  const [problem, ...others] = explain(PlanSchema, document)
  if (problem) {
    const more =
      others.length === 0 ? '' : ` (and ${others.length} more: ${others.map(({ place }) => place).join(', ')})`
    throw fail('CF1002', { place: `${problem.place} (${origin.locate(problem.path)})`, reason: problem.reason + more })
  }
  return { ...origin, document: document as PlanDocument, transforms: makeTransformers(transforms, origin.locate) }
}

/** Reads a plan that came as YAML or JSON text, not as a file; `shown` names it in errors. Fails as `loadPlan` does. */
export function readPlanText(text: string, shown: string): LoadedPlan {
  return loadDocument(resolve(shown), shown, text, createHash('sha256').update(text).digest('hex'))
}

function loadDocument(path: string, file: string, text: string, sha256: string): LoadedPlan {
  const lines = new LineCounter()
  const parsed = parseDocument(text, { lineCounter: lines, prettyErrors: true })
  const [error] = parsed.errors
  // Only the first line of the message: those below it quote the file.
  if (error) throw fail('CF1001', { path: file, reason: error.message.split('\n')[0]!.replace(/:$/, '') })
  const locate = (place: readonly (string | number)[]) => {
    for (let length = place.length; length > 0; length--) {
      const node = parsed.getIn(place.slice(0, length), true) as { range?: readonly number[] } | undefined
      const start = node?.range?.[0]
      if (start !== undefined) return `${file}:${lines.linePos(start).line}`
    }
    return `${file}:1`
  }
  return accept(parsed.toJS(), { path, sha256, locate })
}

/** Functions and transformers do not belong into the document; what is left of them there is `{ use }`, or nothing. */
function takeTransformsOut(value: unknown): { document: unknown; transforms: ReadonlyMap<string, TransformSpec> } {
  const plan = value as { tables?: { transform?: Record<string, unknown> } } | null | undefined
  const given = plan?.tables?.transform
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { document: value, transforms: new Map() }
  const transforms = new Map(Object.entries(given) as [string, TransformSpec][])
  const plain = Object.entries(given).filter(([, transform]) => !holdsFunction(transform))
  const { transform: _, ...tables } = plan!.tables!
  const kept = plain.length === 0 ? tables : { ...tables, transform: Object.fromEntries(plain) }
  return { document: { ...plan, tables: kept }, transforms }
}

function holdsFunction(transform: unknown): boolean {
  if (Array.isArray(transform)) return transform.some(holdsFunction)
  if (typeof transform === 'function') return true
  return typeof (transform as { forward?: unknown } | null)?.forward === 'function'
}

function makeTransformers(
  transforms: ReadonlyMap<string, TransformSpec>,
  locate: LoadedPlan['locate'],
): ReadonlyMap<string, Transformer> {
  const made = new Map<string, Transformer>()
  for (const [table, spec] of transforms) {
    const path = ['tables', 'transform', table]
    try {
      made.set(table, transformerOf(spec))
    } catch (error) {
      if (error instanceof Failure) throw error
      throw fail('CF1002', { place: `${placeOf(path)} (${locate(path)})`, reason: reasonOf(error) }, error)
    }
  }
  return made
}

const passwordInUrl =
  /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*:[^/?#\s]+@|^[a-z][a-z0-9+.-]*:\/\/.*[?&](password|sslpassword)=./i
const connectionParts = ['source', 'target', 'cutover']

/** The value never gets into the failure: only where it stands. */
function refusePasswords(value: unknown, locate: LoadedPlan['locate'], path: readonly (string | number)[] = []): void {
  if (typeof value === 'string') {
    if (passwordInUrl.test(value)) throw fail('CF1004', { place: `${placeOf(path)} (${locate(path)})` })
    return
  }
  if (typeof value !== 'object' || value === null) return
  for (const [key, below] of Object.entries(value)) {
    const step = Array.isArray(value) ? Number(key) : key
    const inConnection = connectionParts.includes(String(path[0]))
    if (inConnection && typeof below === 'string' && /^(password|passwd|secret)$/i.test(key)) {
      throw fail('CF1004', { place: `${placeOf([...path, step])} (${locate([...path, step])})` })
    }
    refusePasswords(below, locate, [...path, step])
  }
}
