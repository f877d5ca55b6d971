import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import { type KeyRing, keyEncryptionKeyBytes, keyIdPattern, localKeyRing } from './key-ring.ts'
import { commandKeyRing } from './kms-command.ts'

/** `id:key,id:key`, the current one first; a key is 32 bytes in base64. A key alone has the id `master`. */
export const masterKeyVariable = 'CROSSFADE_MCP_MASTER_KEY'
/** A file with the same content, one key a line or separated by commas, readable by its owner alone. */
export const masterKeyFileVariable = 'CROSSFADE_MCP_MASTER_KEY_FILE'
/** A program that wraps and unwraps (kms-command.ts), and the ids of its keys, the current one first. */
export const kmsCommandVariable = 'CROSSFADE_MCP_KMS_COMMAND'
export const kmsKeyIdsVariable = 'CROSSFADE_MCP_KMS_KEY_IDS'

const firstKeyId = 'master'
const generationsMax = 32
const keyFileBytesMax = 16 * 1024

export interface MasterKeySource {
  /** Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Where the key file is when nothing names one: for embedded use, beside the database. */
  readonly defaultFile?: string
  /** Whether a key that isn't there may be made in `defaultFile`: only while nothing is sealed yet. */
  readonly make?: boolean
}

/**
 * The key-encryption keys from a KMS command, the environment, or a file, in this order. Throws what is wrong with them and what to do: CF11006 a malformed key, CF11007 a file that others
 * can read, CF11008 a file that can't be read or made, CF11015 no key anywhere.
 */
export function masterKeys(source: MasterKeySource = {}): KeyRing {
  const environment = source.environment ?? process.env
  const command = environment[kmsCommandVariable]?.trim()
  if (command) return commandKeyRing(command, (environment[kmsKeyIdsVariable] ?? firstKeyId).split(','))
  const text = environment[masterKeyVariable]
  if (text !== undefined && text !== '')
    return localKeyRing('the environment', parseMasterKeys(text, masterKeyVariable))
  const named = environment[masterKeyFileVariable]
  const path = named || source.defaultFile
  if (!path) throw fail('CF11015')
  const content = readKeyFile(path) ?? (source.make === true && !named ? makeKeyFile(path) : undefined)
  if (content === undefined) throw fail('CF11008', { path, reason: 'there is no such file' })
  return localKeyRing(path, parseMasterKeys(content, path))
}

/** Keys of several generations, the current one first. Throws CF11006, without any part of a key in it. */
export function parseMasterKeys(text: string, where: string): { id: string; key: Buffer }[] {
  const entries = text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  if (entries.length === 0) throw fail('CF11006', { where, reason: 'it holds no key' })
  if (entries.length > generationsMax)
    throw fail('CF11006', { where, reason: `it holds more than ${generationsMax} keys` })
  const keys = entries.map((entry, place) => parseKey(entry, `key ${place + 1}`, where))
  if (new Set(keys.map(({ id }) => id)).size < keys.length)
    throw fail('CF11006', { where, reason: 'two keys have the same id' })
  return keys
}

function parseKey(entry: string, which: string, where: string): { id: string; key: Buffer } {
  const colon = entry.lastIndexOf(':')
  const id = colon < 0 ? firstKeyId : entry.slice(0, colon)
  const encoded = entry.slice(colon + 1)
  if (!keyIdPattern.test(id))
    throw fail('CF11006', {
      where,
      reason: `${which} has an id that is empty or holds other characters than letters, digits and _ . : / -`,
    })
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) throw fail('CF11006', { where, reason: `${which} is not base64` })
  const decoded = Buffer.from(encoded, 'base64')
  const key = Buffer.alloc(decoded.length, decoded)
  decoded.fill(0)
  if (key.length !== keyEncryptionKeyBytes) {
    throw fail('CF11006', { where, reason: `${which} has ${key.length} bytes instead of ${keyEncryptionKeyBytes}` })
  }
  if (key.every((byte) => byte === key[0])) throw fail('CF11006', { where, reason: `${which} is one byte repeated` })
  return { id, key }
}

/** The file's text, or undefined when there is none. Looks at the file that is open, not at a name that may change. */
function readKeyFile(path: string): string | undefined {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const { mode, size } = fstatSync(file)
    if ((mode & 0o077) !== 0) throw fail('CF11007', { path, mode: (mode & 0o777).toString(8).padStart(4, '0') })
    if (size > keyFileBytesMax) throw fail('CF11008', { path, reason: `it is larger than ${keyFileBytesMax} bytes` })
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Failure) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fail('CF11008', { path, reason: reasonOf(error) }, error)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Makes the file with one new key. Complete and readable by its owner alone before it gets its name; of two who make it at once both use the first one's. */
function makeKeyFile(path: string): string {
  const partial = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.partial`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const file = openSync(partial, 'wx', 0o600)
    try {
      fchmodSync(file, 0o600)
      writeSync(file, `${firstKeyId}:${randomBytes(keyEncryptionKeyBytes).toString('base64')}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    // A link fails where the name is taken, which a rename would not.
    linkSync(partial, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw fail('CF11008', { path, reason: reasonOf(error) }, error)
  } finally {
    rmSync(partial, { force: true })
  }
  const content = readKeyFile(path)
  if (content === undefined) throw fail('CF11008', { path, reason: 'it went away at once' })
  return content
}
