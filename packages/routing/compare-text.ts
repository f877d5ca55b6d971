/**
 * Orders two texts by their UTF-8 bytes, as PostgreSQL's `COLLATE "C"` does: negative, zero or positive.
 * JavaScript's own `<` compares UTF-16 units, which puts characters above U+FFFF before U+E000…U+FFFF.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return byteRank(left) - byteRank(right)
  }
  return a.length - b.length
}

/** Moves surrogates (which stand for characters above U+FFFF) behind all other units. */
function byteRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x2800 : unit
}
