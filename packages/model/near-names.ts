const nearNamesMax = 3

/** The names that somebody who wrote `wanted` may have meant, the likeliest first, at most three: those of which no more than half the letters differ. */
export function nearNames(wanted: string, names: Iterable<string>): readonly string[] {
  const lower = wanted.toLowerCase()
  return [...names]
    .map((name) => ({ name, edits: editsBetween(lower, name.toLowerCase()) }))
    .filter(({ name, edits }) => edits <= Math.max(lower.length, name.length) / 2)
    .sort((first, second) => first.edits - second.edits)
    .slice(0, nearNamesMax)
    .map(({ name }) => name)
}

/** Single-letter edits that lead from one word to the other (Levenshtein), by Wagner and Fischer's table, a row at a time. */
export function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[to.length]!
}
