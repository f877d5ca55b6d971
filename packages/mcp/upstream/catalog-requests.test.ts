import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCatalog } from '@crossfade/catalog/catalog-from.ts'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { Failure } from '@crossfade/model/failure.ts'
import type { Credential } from '../instances/session.ts'
import { compileRequest, requestPlan } from './build-request.ts'
import { verificationCall } from './verify-key.ts'

/** A credential of the kind that the service takes, every secret of it `a-secret`. */
function credentialFor({ auth }: ServiceConfig): Credential {
  if (auth.type === 'none') return { kind: 'none' }
  if (auth.type === 'oauth2') return { kind: 'oauth2', accessToken: 'a-secret' }
  const additional = Object.fromEntries((auth.additional ?? []).map(({ name }) => [name, 'a-secret']))
  if (auth.type === 'api_key') return { kind: 'api_key', apiKey: 'a-secret', additional }
  return { kind: 'basic_auth', username: 'me', password: 'a-secret', additional }
}

test('SI-01 every listed tool of every service makes a request that can be sent, the key in it where the service has one', async () => {
  const { catalog } = await openCatalog()
  const troubles: string[] = []
  let built = 0
  for (const { config, listed } of catalog.services.values()) {
    if (config.source.kind === 'remote-mcp' || config.source.kind === 'built-in') continue
    for (const tool of listed) {
      const required = tool.call.parameters.filter((parameter) => parameter.required)
      const values = Object.fromEntries(required.map(({ argument }) => [argument, 'a-value']))
      if (tool.call.body?.kind === 'whole') values[tool.call.body.argument] = 'YQ=='
      try {
        const { origin, path, headers } = requestPlan(tool, config).build(values, {}, credentialFor(config))
        built++
        const isSendable = /^https?:\/\//.test(origin) && /^\/[\x21-\x7e]*$/.test(path) && !/[{}]/.test(path)
        const sent = `${path}\n${headers.join('\n')}`
        const hasKey = config.auth.type === 'none' || /a-secret|Basic /.test(sent)
        if (!isSendable || !hasKey) troubles.push(`${config.serviceType} ${tool.name}: ${origin}${path}`)
      } catch (error) {
        // What only the user's settings fill in can't be known here.
        if (!(error instanceof Failure && error.code === 'CF13301')) {
          troubles.push(`${config.serviceType} ${tool.name}: ${String(error)}`)
        }
      }
    }
  }
  assert.deepEqual(troubles, [])
  assert.ok(built > 1000, `${built} requests`)
})

test('SI-05 the verification of every service makes a request that can be sent', async () => {
  const { catalog } = await openCatalog()
  const troubles: string[] = []
  let built = 0
  for (const { config } of catalog.services.values()) {
    if (config.verification === null) continue
    try {
      const call = verificationCall(config.verification)
      const { path, headers } = compileRequest(call, config, 'verification').build({}, {}, credentialFor(config))
      built++
      const hasKey = config.auth.type === 'none' || /a-secret|Basic /.test(`${path}\n${headers.join('\n')}`)
      if (!/^\/[\x21-\x7e]*$/.test(path) || /[{}]/.test(path) || !hasKey)
        troubles.push(`${config.serviceType}: ${path}`)
    } catch (error) {
      if (!(error instanceof Failure && error.code === 'CF13301'))
        troubles.push(`${config.serviceType}: ${String(error)}`)
    }
  }
  assert.deepEqual(troubles, [])
  assert.ok(built > 100, `${built} requests`)
})
