import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { makeToken } from '@crossfade/server/make-token.ts'
import { skip, useBrowser, type World, world } from './testing.ts'

suite('a server that goes and comes back', { skip }, () => {
  useBrowser()
  let here: World
  before(async () => {
    if (!skip) here = await world()
  })
  after(() => here?.close())

  test('the page says so, keeps what it has, and goes on by itself', async () => {
    const page = await here.open(`/migrations/${here.migration}`)
    await page.getByText('created').waitFor()
    await here.stopServer()
    await page.getByText('The server does not answer. What you see is from').waitFor()
    await page.getByRole('heading', { name: /messaging/ }).waitFor()
    await here.service.pause(here.migration, { actor: 'cli:bob@desk' })
    await here.startServer()
    await page.getByText('The server does not answer').waitFor({ state: 'detached' })
    await page.locator('h1 .badge', { hasText: 'paused' }).waitFor()
    await page.getByRole('link', { name: 'Journal' }).click()
    await page.getByText('Asked to pause.').waitFor()
  })

  test('a page of a migration that is not there says so, and leads on', async () => {
    const page = await here.open('/migrations/mig_000000000000')
    await page.getByText('There is no such migration').waitFor()
    await page.getByRole('link', { name: 'All migrations' }).click()
    await page.getByRole('heading', { name: 'Migrations' }).waitFor()
  })
})

suite('signing in', { skip }, () => {
  useBrowser()
  const viewer = makeToken('vera', 'viewer')
  const operator = makeToken('otto', 'operator')
  let directory: string
  let tokensFile: string
  let here: World
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'crossfade-console-'))
    tokensFile = join(directory, 'tokens')
    writeFileSync(tokensFile, `${viewer.line}\n${operator.line}\n`)
    if (!skip) here = await world({ server: { tokensFile } })
  })
  after(async () => {
    await here?.close()
    rmSync(directory, { recursive: true })
  })

  test('DM-17: without a token every page leads to the sign-in, and after it back; the token is in no address', async () => {
    const page = await here.open(`/migrations/${here.migration}/plan`)
    await page.waitForURL(/\/sign-in$/)
    await page.getByLabel('Token').fill('wrong-wrong-wrong-wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('CF7201').waitFor()
    await page.getByLabel('Token').fill(operator.token)
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/plan$/)
    await page.getByText('otto').waitFor()
    assert.ok(!page.url().includes(operator.token))
    assert.ok(!(await page.content()).includes(operator.token))
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL(/\/sign-in$/)
  })

  test('DM-17: a viewer sees everything and can ask for nothing', async () => {
    const page = await here.open('/')
    await page.getByLabel('Token').fill(viewer.token)
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: /messaging/ }).click()
    const advance = page.getByRole('button', { name: /^Advance/ })
    await page.locator('.button[title*="it needs the role operator; you are viewer"]').first().waitFor()
    assert.ok(await advance.isDisabled())
    await page.keyboard.press('a')
    assert.equal(await page.getByRole('dialog').count(), 0)
  })

  test('DM-17: a token that is taken back leads to the sign-in, which says why', async () => {
    const page = await here.open('/')
    await page.getByLabel('Token').fill(viewer.token)
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: /messaging/ }).waitFor()
    writeFileSync(tokensFile, `${operator.line}\n`)
    await page.waitForURL(/\/sign-in$/)
    await page.getByText('does not know your token any more').waitFor()
  })
})
