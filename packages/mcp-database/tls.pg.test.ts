import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { baseDirectory, runAs } from '@crossfade/embedded/places.ts'
import { writeFileOwnedBy } from '@crossfade/embedded/template.ts'
import { listenToChanges } from './changes.ts'
import { authorityVariable } from './connection.ts'
import { openPool } from './pool.ts'
import { preparePlatform } from './roles.ts'

const directory = mkdtempSync(join(tmpdir(), 'crossfade-tls-'))
const readable = mkdtempSync(join(baseDirectory(), 'tls-'))
let cluster: Cluster | undefined
after(async () => {
  await cluster?.destroy()
  rmSync(directory, { recursive: true, force: true })
  rmSync(readable, { recursive: true, force: true })
})

function openssl(...words: string[]): void {
  execFileSync('openssl', words, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
}

function authority(name: string): string {
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
    '-addext',
    'basicConstraints=critical,CA:TRUE',
  )
  return join(directory, `${name}.pem`)
}

/** A server that speaks TLS, asks for passwords, and whose certificate is of our authority for `names`. */
async function startSecured(names: string): Promise<Cluster> {
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=database',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
  )
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'right.pem',
    '-CAkey',
    'right.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-out',
    'server.pem',
    '-extfile',
    writeExtensions(names),
  )
  chmodSync(readable, 0o711)
  for (const file of ['server.key', 'server.pem'])
    writeFileOwnedBy(join(readable, file), readFileSync(join(directory, file), 'utf8'), runAs())
  return await startCluster({
    version: 18,
    password: 'of the superuser',
    settings: { ssl: 'on', ssl_cert_file: join(readable, 'server.pem'), ssl_key_file: join(readable, 'server.key') },
  })
}

function writeExtensions(names: string): string {
  const path = join(directory, 'extensions')
  writeFileOwnedBy(path, `subjectAltName=${names}\n`, {})
  return path
}

test('SI-14: the platform connects by TLS with verified certificate and name, roles authenticate by password, and a wrong authority is refused', async () => {
  const right = authority('right')
  const wrong = authority('wrong')
  cluster = await startSecured('DNS:localhost,IP:127.0.0.1')
  const url = new URL(await cluster.createDatabase('secured'))
  url.searchParams.set('sslmode', 'verify-full')
  const before = process.env[authorityVariable]
  const secured = async (target: string) => {
    const pool = openPool(target, { applicationName: 'test', connectionsMax: 1 })
    try {
      return (await pool.query('SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows[0]
    } finally {
      await pool.end()
    }
  }
  try {
    process.env[authorityVariable] = right
    const urls = await preparePlatform(url.href)
    for (const role of Object.values(urls)) assert.equal((await secured(role)).ssl, true)
    // Given an authority, TLS is used also where the URL says nothing.
    const silent = new URL(urls.api)
    silent.searchParams.delete('sslmode')
    assert.equal((await secured(silent.href)).ssl, true)
    const changes: unknown[] = []
    const listening = await listenToChanges(
      urls.runtime,
      (change) => changes.push(change),
      () => undefined,
    )
    await listening.close()
    // Another password.
    const stranger = new URL(urls.api)
    stranger.password = 'guessed'
    await assert.rejects(secured(stranger.href), { code: '28P01' })

    process.env[authorityVariable] = wrong
    await assert.rejects(secured(urls.api), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    await assert.rejects(preparePlatform(url.href), { code: 'CF12502' })
    await assert.rejects(
      listenToChanges(
        urls.runtime,
        () => undefined,
        () => undefined,
      ),
      { code: 'CF12502' },
    )
    process.env[authorityVariable] = join(directory, 'missing.pem')
    assert.throws(() => openPool(urls.api, { applicationName: 'test', connectionsMax: 1 }), { code: 'CF12504' })
    // The system's own authorities don't know ours.
    delete process.env[authorityVariable]
    await assert.rejects(secured(urls.api), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    const named = new URL(urls.api)
    named.searchParams.set('sslrootcert', right)
    assert.equal((await secured(named.href)).ssl, true)

    // A certificate of the right authority for another name.
    await cluster.destroy()
    cluster = await startSecured('DNS:elsewhere.example')
    process.env[authorityVariable] = right
    const other = new URL(cluster.superuserUrl())
    other.searchParams.set('sslmode', 'verify-full')
    await assert.rejects(secured(other.href), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  } finally {
    if (before === undefined) delete process.env[authorityVariable]
    else process.env[authorityVariable] = before
  }
})
