import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createExternalIssuers } from '@crossfade/accounts/external-issuers.ts'
import { Failure } from '@crossfade/model/failure.ts'
import { openIssuerDocuments, readExternalIssuers } from './external-issuers.ts'
import { startTokenIssuer } from './testing/token-issuer.ts'

const directory = mkdtempSync(join(tmpdir(), 'crossfade-issuers-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const resource = 'https://mcp.example.com/git_user_00000000_abcdef/github/'

test('a file that says something wrong keeps the server from starting, with where and what', () => {
  const wrong = (document: unknown, code: string, words: RegExp) => {
    const path = join(directory, 'wrong.json')
    writeFileSync(path, typeof document === 'string' ? document : JSON.stringify(document))
    assert.throws(
      () => readExternalIssuers(path),
      (error: unknown) => error instanceof Failure && error.code === code && words.test(error.message),
      String(words),
    )
  }
  const issuer = 'https://id.example.com'
  wrong('{', 'CF12312', /The file .*is no JSON/)
  wrong({ issuer }, 'CF12312', /must be a list/)
  wrong([{ issuer }, { issuer, audiense: 'x' }], 'CF12312', /Entry 2 .*"audiense"/)
  wrong([{ issuer, userBy: 'email' }], 'CF12312', /userBy in entry 1/)
  wrong([{ issuer, audience: '' }], 'CF12312', /audience in entry 1/)
  wrong([{ issuer, scopes: ['mcp:all'] }], 'CF12312', /scopes in entry 1/)
  wrong([{ issuer, scopes: [] }], 'CF12312', /scopes in entry 1/)
  wrong([{ issuer }, { issuer }], 'CF12312', /once/)
  wrong([{ issuer: 'http://id.example.com' }], 'CF12311', /https/)
  wrong([{ issuer, algorithms: ['HS256'] }], 'CF12311', /HS256/)
  assert.deepEqual(readExternalIssuers(undefined), [])
  assert.throws(() => readExternalIssuers(join(directory, 'none.json')), { code: 'CF14012' })
})

test('an issuer may be on a private address that the operator has named, and what its document points to may not', async () => {
  const named = await startTokenIssuer()
  const inside = await startTokenIssuer()
  const token = () => named.token({ sub: 'ann', aud: resource, scope: 'mcp:read' })
  const { issuer } = named
  try {
    const plain = openIssuerDocuments([{ issuer }], [])
    assert.equal((await createExternalIssuers([{ issuer }], plain.read).verify(token(), resource))?.subject, 'ann')
    named.pointTo(`${inside.issuer}/keys`)
    await assert.rejects(createExternalIssuers([{ issuer }], plain.read).verify(token(), resource), { code: 'CF12310' })
    assert.deepEqual(inside.asked, [])
    const allowed = openIssuerDocuments([{ issuer }], [new URL(inside.issuer).host])
    // Its keys are another's, so the token is refused; but they were read.
    assert.equal(await createExternalIssuers([{ issuer }], allowed.read).verify(token(), resource), null)
    assert.deepEqual(inside.asked, ['/tenant/keys'])
    await Promise.all([plain.close(), allowed.close()])
  } finally {
    await named.stop()
    await inside.stop()
  }
})
