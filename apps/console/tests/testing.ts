// For the browser tests: the real server and engine over a store in memory and databases of the model, and a page in Chromium that looks at them.
import { join } from 'node:path'
import { after, before } from 'node:test'
import { runEngineWorker } from '@crossfade/engine/engine-worker.ts'
import { memoryStore } from '@crossfade/engine/memory-store.ts'
import { createMigrationService } from '@crossfade/engine/service.ts'
import { ModelDatabase } from '@crossfade/engine/simulation/model-database.ts'
import { modelPlan } from '@crossfade/engine/simulation/model-plan.ts'
import { type ModelWorld, modelPlane } from '@crossfade/engine/simulation/model-plane.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import type { DataPlane } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedGate } from '@crossfade/pipeline/resolved-plan.ts'
import { type ListenOptions, startServer } from '@crossfade/server/listen.ts'
import { ensureConsoleBuilt } from '@crossfade/tools/build/console.ts'
import { findOrInstall } from '@crossfade/tools/setup/debian-packages.ts'
import { dataTrack } from '@crossfade/tracks/data/track.ts'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const setup = findOrInstall('chromium')
/** Why the tests cannot run here; false when they can. */
export const skip = 'missing' in setup ? setup.missing : false

const consoleDirectory = join(import.meta.dirname, '..', 'dist')
/** Longer than a person would wait: on a busy machine only what never comes is a failure. */
const patienceMs = 60_000

let browser: Browser

/** Starts Chromium for the file's tests, and builds the console when its sources are newer. */
export function useBrowser(): void {
  before(async () => {
    if ('missing' in setup) return
    ensureConsoleBuilt()
    browser = await chromium.launch({
      executablePath: setup.path,
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
    })
  })
  after(async () => {
    await browser?.close()
  })
}

/** A browser of a person's own, one who has asked for less motion: each frame of an animation is drawn by the processor here. */
export async function newPerson(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  })
  context.setDefaultTimeout(patienceMs)
  return context
}

export interface World {
  readonly url: string
  readonly port: number
  readonly migration: MigrationId
  readonly service: ReturnType<typeof createMigrationService>
  /** Verification finds these until they are repaired. */
  differ(mismatches: readonly Mismatch[]): void
  /** A page that fails the test when it throws or logs an error. */
  open(path: string, options?: BrowserContextOptions): Promise<Page>
  stopServer(): Promise<void>
  /** On the same port. */
  startServer(): Promise<void>
  close(): Promise<void>
}

export interface WorldOptions {
  readonly gates?: readonly ResolvedGate[]
  readonly server?: Partial<ListenOptions>
  readonly shards?: { readonly sources: number; readonly targets: number }
}

/** One migration at `off`, with a worker that takes it wherever the page asks for. */
export async function world(options: WorldOptions = {}): Promise<World> {
  const { sources, targets } = options.shards ?? { sources: 2, targets: 4 }
  const plan = modelPlan({
    sources,
    targets,
    keys: 60,
    grouped: false,
    ...(options.gates ? { gates: options.gates } : {}),
  })
  const databases = new Map(
    (['source', 'target'] as const).flatMap((side) =>
      plan[side].shards.map(({ id }) => [id, new ModelDatabase(id, side, null)] as const),
    ),
  )
  const model: ModelWorld = { plan, databases, sabotage: null, snapshots: 0 }
  let mismatches: readonly Mismatch[] = []
  const differing = {
    found: () => mismatches,
    repaired: () => {
      mismatches = []
    },
  }
  const store = memoryStore(systemClock)
  const service = createMigrationService({ store, clock: systemClock, track: dataTrack })
  const stop = new AbortController()
  const working = runEngineWorker(
    {
      id: 'test-worker',
      store,
      clock: systemClock,
      track: dataTrack,
      openDataPlane: async () => planeOf(model, differing),
      hooks: { run: async () => undefined },
      httpGet: async () => ({ status: 200, text: '' }),
      beside: [],
      throttle: () => async () => undefined,
      places: { reconcile: 4, stream: 8, copy: 2, 'schema-work': 2, verify: 2, repair: 1, backup: 1 },
      memoryBytes: () => process.memoryUsage.rss(),
    },
    stop.signal,
  )
  const migration = await service.create({ ...plan, name: 'messaging' }, { actor: 'cli:ann@laptop' })
  const serve = (port: number) =>
    startServer({
      service,
      planning: { resolve: async () => plan, doctor: async () => [] },
      consoleDirectory,
      version: '0.0.0-test',
      port,
      ...options.server,
    })
  let server = await serve(0)
  const { url, port } = server
  const pages: Page[] = []
  const troubles: string[] = []
  return {
    url,
    port,
    migration,
    service,
    differ(found) {
      mismatches = found
    },
    async open(path, contextOptions = {}) {
      const context = await newPerson(contextOptions)
      const page = await context.newPage()
      pages.push(page)
      page.on('pageerror', (error) => troubles.push(error.message))
      await page.goto(`${url}${path}`)
      return page
    },
    stopServer: () => server.close(),
    async startServer() {
      server = await serve(port)
    },
    async close() {
      for (const page of pages) await page.context().close()
      await server.close()
      stop.abort(new Error('the test is over'))
      await working
      await store.close()
      if (troubles.length > 0) throw new Error(`the page broke: ${troubles.join('; ')}`)
    },
  }
}

function planeOf(model: ModelWorld, differing: { found(): readonly Mismatch[]; repaired(): void }): DataPlane {
  const plane = modelPlane(model, {
    clock: systemClock,
    alive: () => true,
    call: async (_database, effect) => effect(),
    act: async (_database, effect) => effect(),
  })
  return {
    ...plane,
    verification: {
      ...plane.verification,
      async verify(range, context) {
        const looked = await plane.verification.verify(range, context)
        const mismatches = differing.found()
        return { ...looked, mismatches, mismatchCount: mismatches.length }
      },
      async repair() {
        differing.repaired()
        return []
      },
    },
  }
}

/** Presses the action and answers its confirmation. */
export async function act(
  page: Page,
  action: string,
  confirm: (page: Page) => Promise<void> = async () => undefined,
): Promise<void> {
  await page.getByRole('button', { name: new RegExp(`^${action}`) }).click()
  const dialog = page.getByRole('dialog')
  await dialog.waitFor()
  await confirm(page)
  await dialog.getByRole('button', { name: action, exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
}

/** Waits until the ladder stands at the stage and nothing moves. */
export async function stands(page: Page, stage: string): Promise<void> {
  await page.locator('.rung[aria-current="step"] .rung-name', { hasText: stage }).waitFor()
  await page.locator('h1 .badge', { hasText: /steady|complete/ }).waitFor()
}

/** How much wider the page is than its window; 0 when it fits. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}
