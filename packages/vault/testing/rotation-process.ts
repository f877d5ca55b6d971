// A process that rotates and is killed in the middle: `rotation-process.ts KEEPER_URL MASTER_KEYS`. Says each step on its standard output.
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { localKeyRing } from '../key-ring.ts'
import { parseMasterKeys } from '../master-keys.ts'
import { rotateDataKeys } from '../rotate-data-keys.ts'
import { rotateKeyEncryptionKey } from '../rotate-key-encryption-key.ts'

const [url, masterKeys] = process.argv.slice(2)
const keeper = openPool(url!, { applicationName: 'rotation', connectionsMax: 2 })
const keys = localKeyRing('the test', parseMasterKeys(masterKeys!, 'the test'))
const say = (step: string) => (progress: object) => process.stdout.write(`${JSON.stringify({ step, ...progress })}\n`)
await rotateKeyEncryptionKey(keeper, keys, { onProgress: say('key-encryption key') })
await rotateDataKeys(keeper, keys, { onProgress: say('data keys') })
await keeper.end()
