// Descriptions for models: HTML and Markdown are noise there, and long ones cost every request.

export const toolDescriptionCharsMax = 500
export const titleCharsMax = 80
export const argumentDescriptionCharsMax = 240
export const memberDescriptionCharsMax = 160

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  '#39': "'",
}

/** Most descriptions are plain already. */
const plain = /^[A-Za-z0-9 ,.;:()'"/?!%+=$@]*$/

/** `text` as one line of plain words: no tags, images, code fences, tables, headings; links keep their words. */
export function plainText(text: string): string {
  if (plain.test(text)) return text.replace(/ +/g, ' ').trim()
  return text
    .replace(/<!--[\s\S]*?-->/g, ' ')
    .replace(/```[\s\S]*?(```|$)/g, ' ')
    .replace(/<(style|script)\b[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<\/?[a-zA-Z][^<>]*>/g, ' ')
    .replace(/&(#?\w+);/g, (whole, name: string) => entities[name] ?? whole)
    .replace(/!\[[^\]]*\]\([^)]*\)/g, ' ')
    .replace(/\[([^\]]+)\]\([^)\s]*(?:\s"[^"]*")?\)/g, '$1')
    .replace(/^\s*\|.*\|\s*$/gm, ' ')
    .replace(/^\s{0,3}#{1,6}\s+/gm, '')
    .replace(/^\s*[-=*_]{3,}\s*$/gm, ' ')
    .replace(/(\*\*|__)(?=\S)([\s\S]*?\S)\1/g, '$2')
    .replace(/`/g, '')
    .replace(/[\u0000-\u001f\u007f\s]+/g, ' ')
    .trim()
}

/** As many whole sentences of plain text as fit into `charsMax`; a single longer one is cut at a word, with an ellipsis. */
export function boundedText(text: string, charsMax: number): string {
  const plain = plainText(text)
  if (plain.length <= charsMax) return plain
  const head = plain.slice(0, charsMax)
  const sentences = /^[\s\S]*[.!?](?=\s)/.exec(head)?.[0]
  if (sentences && sentences.length >= charsMax / 3) return sentences
  return `${head.slice(0, charsMax - 1).replace(/\s+\S*$/, '')}…`
}

/** What an operation is for: its summary, then what the description adds to it. */
export function operationText(summary: string, description: string): string {
  const short = plainText(summary)
  const long = plainText(description)
  if (short === '' || long.toLowerCase().startsWith(short.toLowerCase().replace(/[.!]$/, ''))) {
    return boundedText(long || short, toolDescriptionCharsMax)
  }
  const sentence = /[.!?:]$/.test(short) ? short : `${short}.`
  return boundedText(long === '' ? short : `${sentence} ${long}`, toolDescriptionCharsMax)
}
