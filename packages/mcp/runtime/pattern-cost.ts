// How long a regular expression can take. Descriptions are written by strangers, and the worker that runs their patterns is everybody's.

type Node =
  | { readonly kind: 'one' }
  | { readonly kind: 'assertion'; readonly isStart: boolean }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number }

/** Groups within groups; deeper ones are not judged. */
const nestingMax = 50
/** Counted repetitions beyond are not judged: an engine writes them out. */
const countMax = 1_000

/**
 * An upper bound of the steps that a backtracking matcher takes over a text of so many characters, whatever the text is: the ways through the expression
 * (a repetition of one way through has one for each count, alternatives add up, what follows multiplies) times the characters of each, times the places where
 * it may begin. Null for what this cannot count: look-around and references back, and dialects that JavaScript takes for something else.
 * `pattern` must be correct with the flag `u`.
 */
export function patternCost(pattern: string): ((characters: number) => number) | null {
  // `/…/` is JavaScript's literal, `[[:alpha:]]` is POSIX: both would be read as other patterns than were meant.
  if (/^\/.*\/[a-z]*$/s.test(pattern) || /\[\[?:\w+:\]/.test(pattern)) return null
  const node = parsed(pattern)
  if (node === null) return null
  const beginsAtStart = isAnchored(node)
  return (characters) => {
    const length = characters + pattern.length
    return waysThrough(node, characters) * length * (beginsAtStart ? 1 : characters + 1)
  }
}

function waysThrough(node: Node, characters: number): number {
  switch (node.kind) {
    case 'one':
    case 'assertion':
      return 1
    case 'sequence':
      return node.parts.reduce((ways, part) => ways * waysThrough(part, characters), 1)
    case 'choice':
      return node.parts.reduce((ways, part) => ways + waysThrough(part, characters), 0)
    default: {
      const max = Math.max(node.min, Math.min(node.max, characters))
      // The sum of once^min … once^max, from above.
      return (max - node.min + 1) * waysThrough(node.part, characters) ** max
    }
  }
}

function isAnchored(node: Node): boolean {
  if (node.kind === 'assertion') return node.isStart
  if (node.kind === 'choice') return node.parts.every(isAnchored)
  return node.kind === 'sequence' && node.parts[0] !== undefined && isAnchored(node.parts[0])
}

/** The structure of an expression: what repeats and what branches. Null where it has more than that. */
function parsed(pattern: string): Node | null {
  let at = 0
  const take = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = at
    const found = expression.exec(pattern)
    if (found !== null) at = expression.lastIndex
    return found
  }

  const choice = (depth: number): Node | null => {
    const parts: Node[] = []
    do {
      const part = sequence(depth)
      if (part === null) return null
      parts.push(part)
    } while (take(/\|/y) !== null)
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts }
  }

  const sequence = (depth: number): Node | null => {
    const parts: Node[] = []
    while (at < pattern.length && pattern[at] !== '|' && pattern[at] !== ')') {
      const part = atom(depth)
      if (part === null) return null
      const repetition = take(/(?:([*+?])|\{(\d+)(,)?(\d+)?\})\??/y)
      const counts = repetition === null ? null : countsOf(repetition)
      if (counts !== null && [counts.min, counts.max].some((count) => count > countMax && Number.isFinite(count)))
        return null
      parts.push(counts === null ? part : { kind: 'repeat', part, ...counts })
    }
    return { kind: 'sequence', parts }
  }

  const atom = (depth: number): Node | null => {
    if (take(/\^/y) !== null) return { kind: 'assertion', isStart: true }
    if (take(/\$|\\[bB]/y) !== null) return { kind: 'assertion', isStart: false }
    if (take(/\((?:\?:|\?<[^=!>]+>)?(?!\?)/y) !== null) {
      if (depth >= nestingMax) return null
      const inner = choice(depth + 1)
      return take(/\)/y) === null ? null : inner
    }
    // An escape that stands for one character; not `\1` and `\k<name>`.
    if (take(/\\(?:u\{[\da-f]+\}|u[\da-f]{4}|x[\da-f]{2}|c[a-z]|[pP]\{[^}]*\}|0|[^1-9kbB])/iy) !== null)
      return { kind: 'one' }
    if (take(/\[(?:\\.|[^\]\\])*\]/sy) !== null || take(/[^\\()[]/uy) !== null) return { kind: 'one' }
    return null
  }

  const whole = choice(0)
  return at === pattern.length ? whole : null
}

function countsOf([, sign, min, comma, max]: RegExpExecArray): { readonly min: number; readonly max: number } {
  if (sign === '?') return { min: 0, max: 1 }
  if (sign !== undefined) return { min: sign === '+' ? 1 : 0, max: Number.POSITIVE_INFINITY }
  return { min: Number(min), max: max !== undefined ? Number(max) : comma ? Number.POSITIVE_INFINITY : Number(min) }
}
