// Takes the compression off an answer, never giving more than a bound: a few kilobytes can unpack to gigabytes.
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib'

export type Unpacked =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'broken'; readonly reason: string }

/** What we tell upstreams that we take. */
export const acceptedEncodings = 'gzip, br, deflate, zstd'
/** Encodings on top of each other that are taken off. */
const layersMax = 2

type Unpack = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>
const unpackers: Readonly<Record<string, Unpack>> = {
  gzip: promisify(gunzip) as Unpack,
  'x-gzip': promisify(gunzip) as Unpack,
  br: promisify(brotliDecompress) as Unpack,
  zstd: promisify(zstdDecompress) as Unpack,
  // "deflate" is zlib by RFC 9110, and raw deflate from servers that got it wrong.
  deflate: (bytes, options) =>
    (bytes[0]! & 0x0f) === 0x08 ? inflateBytes(bytes, options) : inflateRawBytes(bytes, options),
}
const inflateBytes = promisify(inflate) as Unpack
const inflateRawBytes = promisify(inflateRaw) as Unpack

/** The bytes behind `content-encoding`, at most `bytesMax` of them. */
export async function unpack(bytes: Buffer, encoding: string, bytesMax: number): Promise<Unpacked> {
  const layers = encoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  if (layers.length > layersMax) return { kind: 'broken', reason: 'it is packed too often' }
  let current = bytes
  for (const layer of layers.reverse()) {
    const unpacker = Object.hasOwn(unpackers, layer) ? unpackers[layer]! : null
    if (unpacker === null) return { kind: 'broken', reason: 'the encoding is unknown' }
    if (current.length === 0) break
    try {
      current = await unpacker(current, { maxOutputLength: bytesMax })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ERR_BUFFER_TOO_LARGE') return { kind: 'too-large' }
      return { kind: 'broken', reason: code ?? 'the data is damaged' }
    }
  }
  return { kind: 'bytes', bytes: current }
}
