import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import { asShardId } from '@crossfade/model/ids.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import type { Page } from 'playwright-core'
import { act, overflow, skip, stands, useBrowser, type World, world } from './testing.ts'

const flipped: Mismatch = {
  table: { schema: 'public', name: 'item' },
  kind: 'different',
  key: { id: 'k7' },
  source: asShardId('source/1'),
  target: asShardId('target/2'),
  columns: [
    { column: 'email', source: 'alice@example.com', target: 'alice@exampel.com' },
    { column: 'role', source: '', target: null },
  ],
}
const missing: Mismatch = { ...flipped, kind: 'missing', key: { id: 'k8' }, target: null, columns: [] }

suite('evidence in the browser', { skip }, () => {
  useBrowser()
  let here: World
  let page: Page
  before(async () => {
    if (skip) return
    here = await world()
    page = await here.open(`/migrations/${here.migration}`)
    await act(page, 'Advance')
    await stands(page, 'dualwrite')
  })
  after(() => here?.close())

  test('DM-03: a mismatch shows its key and, column by column, what differs; repair makes it go', async () => {
    here.differ([flipped, missing])
    await act(page, 'Verify')
    await page.getByRole('link', { name: 'verification 2 open mismatches' }).click()
    await page.getByRole('button', { name: /different.*id=k7.*email, role/ }).click()
    const rows = page.locator('.difference tbody tr')
    assert.deepEqual(await rows.nth(0).locator('mark').allInnerTexts(), ['le', 'el'])
    assert.deepEqual(await rows.nth(1).locator('td').allInnerTexts(), ['empty text', 'NULL'])
    await page.getByRole('button', { name: /missing.*id=k8/ }).click()
    await page.getByText('The row is on source/1 and on no target.').waitFor()

    await act(page, 'Repair')
    await page.getByText('No differences').waitFor()
    await page.locator('.card', { hasText: 'Reports' }).getByText('repair').first().waitFor()
  })

  test('DM-03: a report can be kept as a file', async () => {
    await page.goto(`${here.url}/migrations/${here.migration}/verification`)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'download' }).first().click(),
    ])
    assert.match(download.suggestedFilename(), /^crossfade-mig_\w+-ver_\d+\.json$/)
    const report = JSON.parse(readFileSync(await download.path(), 'utf8'))
    assert.equal(typeof report.rows, 'number')
  })

  test('what the worker does arrives by itself: the journal grows while one looks', async () => {
    await page.goto(`${here.url}/migrations/${here.migration}/journal`)
    await page.getByText('Created from the plan').waitFor()
    await here.service.pause(here.migration, { actor: 'cli:bob@desk' })
    await page.locator('.timeline li', { hasText: 'Asked to pause.' }).waitFor()
    await page.getByRole('button', { name: 'asked by people' }).click()
    await page.locator('.timeline li', { hasText: 'cli:bob@desk' }).waitFor()
    await here.service.resume(here.migration, { actor: 'cli:bob@desk' })
    await page.locator('.timeline li', { hasText: 'Asked to resume.' }).first().waitFor()
  })

  const pages = ['', '/copy', '/streams', '/verification', '/journal', '/plan']
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`at 390 pixels nothing scrolls sideways, and every page is ${colorScheme} when the system is`, async () => {
      const phone = await here.open('/', { viewport: { width: 390, height: 844 }, colorScheme })
      for (const path of [
        '/',
        '/workers',
        '/nowhere',
        '/sign-in',
        ...pages.map((part) => `/migrations/${here.migration}${part}`),
      ]) {
        await phone.goto(`${here.url}${path}`)
        await phone.locator('h1, .empty h3').first().waitFor()
        assert.equal(await overflow(phone), 0, path)
        const brightness = await phone.evaluate(() => {
          const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g)!.map(Number)
          return (red! + green! + blue!) / 3
        })
        assert.equal(brightness > 128, colorScheme === 'light', path)
      }
    })
  }

  test('the colours that were chosen are kept', async () => {
    const chosen = await here.open('/', { colorScheme: 'light' })
    await chosen.getByRole('button', { name: 'Switch to dark colours' }).click()
    await chosen.reload()
    assert.equal(await chosen.evaluate(() => document.documentElement.dataset['theme']), 'dark')
  })
})
