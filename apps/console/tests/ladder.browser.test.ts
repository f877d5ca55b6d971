import assert from 'node:assert/strict'
import { afterEach, beforeEach, suite, test } from 'node:test'
import type { ResolvedGate } from '@crossfade/pipeline/resolved-plan.ts'
import { act, skip, stands, useBrowser, type World, world } from './testing.ts'

const release: ResolvedGate = {
  stage: 'live',
  kind: 'manual',
  name: 'release',
  limit: null,
  soakMs: 0,
  retreatAfterMs: null,
  sql: null,
  shard: null,
  url: null,
}

suite('the ladder in the browser', { skip }, () => {
  useBrowser()
  let here: World
  beforeEach(async () => {
    here = await world({ gates: [release] })
  })
  afterEach(() => here.close())

  test('DM-08: start, watch it go up, approve the gate, cut over, retreat; all without a reload', async () => {
    const page = await here.open('/')
    await page.getByRole('link', { name: /messaging/ }).click()
    await page.getByText('created').waitFor()
    await page.evaluate(() => Object.assign(globalThis, { neverReloaded: true }))

    await act(page, 'Advance')
    await page.getByText('Asked to advance to dualwrite').waitFor()
    await stands(page, 'dualwrite')
    assert.match(await page.title(), /messaging: dualwrite/)

    await act(page, 'Advance', async () => {
      await page.getByLabel('Go to').selectOption('live')
      await page.getByText('Cut over: writes are held').waitFor()
    })
    await page.getByText('waiting for gates of live').waitFor()
    const gates = page.locator('.card', { hasText: 'Gates of live' })
    await gates.getByText('waits for a person').waitFor()
    await gates.getByRole('button', { name: 'Approve' }).click()
    await stands(page, 'live')
    await page.locator('.cutovers', { hasText: 'to the target' }).waitFor()
    const pause = page.locator('.figure', { hasText: 'last write pause' })
    await pause.filter({ hasText: /\d+(\.\d)? m?s/ }).waitFor()
    await page.locator('.tile', { hasText: 'answers' }).first().waitFor()

    await act(page, 'Retreat', async () => {
      await page.getByText('the source answers again with every write').waitFor()
    })
    await stands(page, 'shadow')
    await page.locator('.cutovers', { hasText: 'to the source' }).waitFor()

    await page.getByRole('link', { name: 'Journal' }).click()
    await page.getByText('Approved the gate release.').waitFor()
    assert.ok(await page.evaluate(() => 'neverReloaded' in globalThis))
    const actors = (await here.service.history(here.migration)).map((entry) => entry.actor)
    assert.deepEqual([...new Set(actors)].sort(), ['api:local', 'cli:ann@laptop', 'engine'])
  })

  test('abort asks for the name, takes everything back, and says so', async () => {
    const page = await here.open(`/migrations/${here.migration}`)
    await act(page, 'Advance')
    await stands(page, 'dualwrite')
    await page.getByRole('button', { name: 'Abort' }).click()
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Abort' })
    assert.ok(await confirm.isDisabled())
    await page.getByRole('dialog').getByRole('textbox').fill('messaging')
    await confirm.click()
    await page.getByText('Everything was taken back and removed').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Advance' }).count(), 0)
  })

  test('keys: a opens the confirmation, Escape closes it and the focus goes back, p pauses and resumes, digits lead to tabs', async () => {
    const page = await here.open(`/migrations/${here.migration}`)
    const advance = page.getByRole('button', { name: /^Advance/ })
    await advance.focus()
    await page.keyboard.press('a')
    const dialog = page.getByRole('dialog')
    await dialog.waitFor()
    assert.equal(
      await dialog.getByRole('button', { name: 'Advance' }).evaluate((button) => button === document.activeElement),
      true,
    )
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    assert.equal(await advance.evaluate((button) => button === document.activeElement), true)
    assert.equal((await here.service.get(here.migration)).desiredStage, 'off')
    await page.keyboard.press('p')
    await page.keyboard.press('Enter')
    await page.locator('h1 .badge', { hasText: 'paused' }).waitFor()
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    await page.keyboard.press('6')
    await page.waitForURL(/\/plan$/)
    await page.getByText('Tables, in order').waitFor()
  })
})
