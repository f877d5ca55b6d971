const initial = (0x9e3779b9 + 3923095) | 0

/**
 * PostgreSQL's `hashtext(text)`: the same signed 32-bit value for the same text, on every little-endian server with encoding UTF8
 * and a deterministic collation. It is Bob Jenkins' lookup3 (`hash_bytes`) over the text's UTF-8 bytes.
 */
export function hashText(text: string): number {
  const length = text.length
  if (length > asciiLengthMax) return hashBytes(Buffer.from(text, 'utf8'))
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit > 0x7f) return hashBytes(Buffer.from(text, 'utf8'))
    scratch[index] = unit
  }
  return hashBytes(scratch, length)
}

/** The bucket of a key in a hash topology, `(hashtext(key) & 0x7fffffff) % buckets`. */
export function hashBucket(key: string, buckets: number): number {
  return (hashText(key) & 0x7fffffff) % buckets
}

/** Keys are short and mostly ASCII: up to this many characters are hashed without making a buffer for them. */
const asciiLengthMax = 128
const scratch = new Uint8Array(asciiLengthMax)

function hashBytes(bytes: Uint8Array, length = bytes.length): number {
  let a = (initial + length) | 0
  let b = a
  let c = a
  let at = 0
  let left = length
  for (; left >= 12; left -= 12, at += 12) {
    a = (a + word(bytes, at)) | 0
    b = (b + word(bytes, at + 4)) | 0
    c = (c + word(bytes, at + 8)) | 0
    a = ((a - c) | 0) ^ rotate(c, 4)
    c = (c + b) | 0
    b = ((b - a) | 0) ^ rotate(a, 6)
    a = (a + c) | 0
    c = ((c - b) | 0) ^ rotate(b, 8)
    b = (b + a) | 0
    a = ((a - c) | 0) ^ rotate(c, 16)
    c = (c + b) | 0
    b = ((b - a) | 0) ^ rotate(a, 19)
    a = (a + c) | 0
    c = ((c - b) | 0) ^ rotate(b, 4)
    b = (b + a) | 0
  }
  // The lowest byte of c holds the length, so the ninth byte goes to its second one.
  for (let index = 0; index < left; index += 1) {
    const byte = bytes[at + index]!
    if (index < 4) a = (a + (byte << (8 * index))) | 0
    else if (index < 8) b = (b + (byte << (8 * (index - 4)))) | 0
    else c = (c + (byte << (8 * (index - 7)))) | 0
  }
  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  c = ((c ^ b) - rotate(b, 24)) | 0
  return c
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}
