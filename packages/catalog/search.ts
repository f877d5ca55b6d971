// Search by words over names and descriptions: exact words before beginnings of words, names before descriptions, rare words before common ones.

/** Words that say nothing about what is looked for. */
const emptyWords = new Set(
  'a all an and any are as at be by can do does for from get give has have how i in into is it its list me my of on or our please show some that the their this to use using want was what when where which who will with you your'.split(
    ' ',
  ),
)
/** `get` and `list` are empty in questions, but not in names: these words find each other. */
const groups: readonly (readonly string[])[] = [
  ['create', 'add', 'new', 'insert', 'make'],
  ['delete', 'remove', 'destroy'],
  ['update', 'edit', 'modify', 'change', 'patch', 'set'],
  ['search', 'find', 'query', 'lookup'],
  ['send', 'post', 'publish'],
]
const sameMeaning = new Map(groups.flatMap((group) => group.map((word) => [word, group] as const)))

const nameWeight = 8
const titleWeight = 4
const textWeight = 1
const prefixQuality = 0.6
const meaningQuality = 0.5
const queryWordsMax = 12

export interface SearchText {
  readonly name: string
  readonly title: string
  readonly text: string
}

export interface SearchIndex<T> {
  /** Items that match the query, the best first; equals in the order they were given. `all`: every word must match. */
  search(query: string, how: { readonly limit: number; readonly words: 'all' | 'most' }): T[]
}

/** Looks `items` up by the words of their texts. Built once; a search costs little more than the words it touches. */
export function searchIndex<T>(items: readonly T[], textOf: (item: T) => SearchText): SearchIndex<T> {
  const postings = new Map<string, Map<number, number>>()
  for (const [index, item] of items.entries()) {
    const { name, title, text } = textOf(item)
    addWords(postings, index, text, textWeight)
    addWords(postings, index, title, titleWeight)
    addWords(postings, index, name, nameWeight)
  }
  const vocabulary = [...postings.keys()].sort()
  const rarity = (word: string) => Math.log(1 + items.length / postings.get(word)!.size)

  const candidates = (word: string): Map<string, number> => {
    const found = new Map<string, number>()
    for (const same of sameMeaning.get(word) ?? []) if (postings.has(same)) found.set(same, meaningQuality)
    for (let at = lowerBound(vocabulary, word); vocabulary[at]?.startsWith(word); at++) {
      const known = vocabulary[at]!
      if (known !== word && word.length < 2) continue
      found.set(known, known === word ? 1 : prefixQuality * (0.5 + word.length / known.length / 2))
    }
    return found
  }

  return {
    search(query, { limit, words: how }) {
      const words = queryWords(query)
      if (words.length === 0) return items.slice(0, limit)
      const scores = new Map<number, { words: number; score: number }>()
      for (const word of words) {
        const best = new Map<number, number>()
        for (const [known, quality] of candidates(word)) {
          const value = quality * rarity(known)
          for (const [index, weight] of postings.get(known)!) {
            best.set(index, Math.max(best.get(index) ?? 0, weight * value))
          }
        }
        for (const [index, value] of best) {
          const score = scores.get(index) ?? { words: 0, score: 0 }
          scores.set(index, { words: score.words + 1, score: score.score + value })
        }
      }
      const needed = how === 'all' ? words.length : Math.ceil(words.length / 2)
      const wanted = query.trim().toLowerCase()
      const isNamed = (index: number) => (textOf(items[index]!).name.toLowerCase() === wanted ? 1 : 0)
      return [...scores]
        .filter(([, { words: matched }]) => matched >= needed)
        .sort(([a, x], [b, y]) => isNamed(b) - isNamed(a) || y.words - x.words || y.score - x.score || a - b)
        .slice(0, limit)
        .map(([index]) => items[index]!)
    },
  }
}

/** The words of a text: split at punctuation and at capitals within words, lower case, in the singular. */
export function wordsOf(text: string): string[] {
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .map(singular)
}

function queryWords(query: string): string[] {
  const words = [...new Set(wordsOf(query))]
  const telling = words.filter((word) => !emptyWords.has(word))
  return (telling.length > 0 ? telling : words).slice(0, queryWordsMax)
}

function singular(word: string): string {
  if (word.length > 4 && word.endsWith('ies')) return `${word.slice(0, -3)}y`
  if (word.length > 3 && word.endsWith('s') && !/(ss|us|is)$/.test(word)) return word.slice(0, -1)
  return word
}

function addWords(postings: Map<string, Map<number, number>>, index: number, text: string, weight: number): void {
  for (const word of wordsOf(text)) {
    let posting = postings.get(word)
    if (!posting) {
      posting = new Map()
      postings.set(word, posting)
    }
    posting.set(index, Math.max(posting.get(index) ?? 0, weight))
  }
}

/** First place in a sorted list whose word is not less than `word`. */
function lowerBound(sorted: readonly string[], word: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < word) low = middle + 1
    else high = middle
  }
  return low
}
