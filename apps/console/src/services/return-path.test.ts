import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isServersPath, safeReturn, signInPath } from './return-path.ts'

const origin = 'https://mcp.example.com'

test('sign-in leads back to paths of this origin, with query and fragment', () => {
  for (const path of ['/services/github/try?x=1#y', '/api/v1/auth/oauth2/authorize?client_id=a&state=b', '/usage'])
    assert.equal(safeReturn(path, origin), path)
  assert.ok(isServersPath(safeReturn('/api/v1/auth/oauth2/authorize?client_id=a', origin)))
  assert.ok(!isServersPath(safeReturn('/services', origin)))
})

test('sign-in leads nobody to another origin, however it is spelled', () => {
  const others = [
    'https://evil.example/x',
    '//evil.example',
    '//evil.example/services/x',
    '/\\evil.example/services/x',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    ' //evil.example',
    '/.//evil.example',
    '/x/..//evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    'services',
    '',
    null,
  ]
  for (const asked of others) assert.equal(safeReturn(asked, origin), '/services', JSON.stringify(asked))
})

test('sign-in does not lead back to itself', () => {
  for (const asked of ['/', '/sign-in', '/sign-in?return=/usage', '/sign-up#x', '/x/../sign-in'])
    assert.equal(safeReturn(asked, origin), '/services')
  assert.equal(signInPath('/'), '/sign-in')
  const path = '/services/a?b=1&c=2#d'
  assert.equal(safeReturn(new URL(signInPath(path), origin).searchParams.get('return'), origin), path)
})
