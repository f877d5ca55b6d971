import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseServiceType } from '@crossfade/model/platform-ids.ts'
import { parseInstancePath, redactPath } from './instance-path.ts'

const instance = 'fig_user_1a2b3c4d_9f8e7d'

test('SI-06 an instance is reached by id and service, with or without the last slash', () => {
  const path = { instanceId: instance, serviceType: 'figma', urlSecret: null }
  assert.deepEqual(parseInstancePath(`/${instance}/figma/`), path)
  assert.deepEqual(parseInstancePath(`/${instance}/figma`), path)
  assert.deepEqual(parseInstancePath(`/${instance}/figma/?a=/b`), path)
})

test('M12 the secret of an opt-in URL is read, and never logged', () => {
  const secret = `cfu_${'a'.repeat(43)}`
  assert.equal(parseInstancePath(`/${instance}/figma/${secret}/`)?.urlSecret, secret)
  assert.equal(redactPath(`/${instance}/figma/${secret}/?key=${secret}`), `/${instance}/figma/redacted/`)
  assert.equal(redactPath(`/x/cfi_${'b'.repeat(43)}`), '/x/redacted')
})

test('SI-02 on the static port of a service its name may be left out, and no other service is answered', () => {
  const figma = parseServiceType('figma')
  assert.equal(parseInstancePath(`/${instance}/`, figma)?.serviceType, 'figma')
  assert.equal(parseInstancePath(`/${instance}/figma/`, figma)?.serviceType, 'figma')
  assert.equal(parseInstancePath(`/${instance}/github/`, figma), null)
})

test('there is one way to write a path: nothing encoded, doubled or climbing is an instance', () => {
  for (const path of [
    '/',
    '',
    '*',
    `/${instance}`,
    `//${instance}/figma/`,
    `/${instance}//figma`,
    `/${instance}/figma//`,
    `/${instance}/fig%6da/`,
    `/${instance}/figma/../github`,
    `/${instance}/Figma/`,
    `/${instance.toUpperCase()}/figma/`,
    `/${instance}/figma/cfi_${'a'.repeat(43)}`,
    `/${instance}/figma/cfu_short`,
    `/${instance}/figma/cfu_${'a'.repeat(43)}/more`,
    `/${instance}/${'a'.repeat(60)}/`,
    `http://x/${instance}/figma/`,
    `/${instance}/figma/${'a'.repeat(400)}`,
  ]) {
    assert.equal(parseInstancePath(path), null, path)
  }
})
