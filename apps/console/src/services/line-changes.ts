/** One line of a text that was changed: it stands in both, only before, or only now. */
export interface ChangedLine {
  readonly kind: 'same' | 'gone' | 'new'
  readonly text: string
}

/** Texts with more lines than this are told as all gone and all new: the table below grows with their product. */
const comparedLinesMax = 600

/** The lines of both texts in one order, by the longest common subsequence. Pure; the lines that are not `new` are `before`, those that are not `gone` are `now`. */
export function lineChanges(before: string, now: string): ChangedLine[] {
  const old = before.split('\n')
  const own = now.split('\n')
  if (old.length > comparedLinesMax || own.length > comparedLinesMax) {
    return [...old.map((text) => line('gone', text)), ...own.map((text) => line('new', text))]
  }
  const width = own.length + 1
  // Length of the longest common subsequence of what follows, by the places in both.
  const common = new Uint16Array((old.length + 1) * width)
  for (let left = old.length - 1; left >= 0; left--) {
    for (let right = own.length - 1; right >= 0; right--) {
      common[left * width + right] =
        old[left] === own[right]
          ? common[(left + 1) * width + right + 1]! + 1
          : Math.max(common[(left + 1) * width + right]!, common[left * width + right + 1]!)
    }
  }
  const lines: ChangedLine[] = []
  let left = 0
  let right = 0
  while (left < old.length && right < own.length) {
    if (old[left] === own[right]) {
      lines.push(line('same', old[left]!))
      left += 1
      right += 1
    } else if (common[(left + 1) * width + right]! >= common[left * width + right + 1]!) {
      lines.push(line('gone', old[left]!))
      left += 1
    } else {
      lines.push(line('new', own[right]!))
      right += 1
    }
  }
  return [
    ...lines,
    ...old.slice(left).map((text) => line('gone', text)),
    ...own.slice(right).map((text) => line('new', text)),
  ]
}

function line(kind: ChangedLine['kind'], text: string): ChangedLine {
  return { kind, text }
}
