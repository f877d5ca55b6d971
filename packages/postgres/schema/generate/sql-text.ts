import type { TableName } from '@crossfade/model/table-name.ts'
import { quoteIdentifier, quoteLiteral, quoteTable } from '../../connection/quote.ts'

/** What is called otherwise on the target. Both answer undefined for what keeps its name. */
export interface NewNames {
  relation(name: TableName): TableName | undefined
  /** Of the one table that the text belongs to. */
  column?(name: string): string | undefined
}

/**
 * Puts new names into SQL that the server deparsed with an empty search path, where every relation is qualified. Columns are only
 * recognised where they stand alone or after `new.` and `old.`, as in checks, indexes and trigger conditions; not for queries.
 */
export function rename(sql: string, names: NewNames): string {
  const tokens = tokenize(sql)
  let out = ''
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    if (token.kind === 'identifier') {
      const second = tokens[at + 2]
      if (tokens[at + 1]?.text === '.' && second?.kind === 'identifier' && tokens[at - 1]?.text !== '.') {
        const renamed = names.relation({ schema: token.value, name: second.value })
        if (renamed) {
          out += quoteTable(renamed)
          at += 2
          continue
        }
      }
      const column = names.column && standsForColumn(tokens, at) ? names.column(token.value) : undefined
      out += column === undefined ? token.text : quoteIdentifier(column)
    } else if (token.kind === 'string' && isRegclass(tokens, at)) {
      const renamed = names.relation(parseQualified(token.value))
      out += renamed ? quoteLiteral(quoteTable(renamed)) : token.text
    } else {
      out += token.text
    }
  }
  return out
}

/** The same text for the same SQL: one space between tokens, identifiers quoted only where they must be. For comparing, not for running. */
export function canonical(sql: string): string {
  return tokenize(sql)
    .filter((token) => token.kind !== 'space')
    .map((token) => (token.kind === 'identifier' && /^[a-z_][a-z0-9_]*$/.test(token.value) ? token.value : token.text))
    .join(' ')
}

/** Every identifier of the text, unquoted, once each; those inside string and dollar-quoted bodies too when `deep`. */
export function identifiersOf(sql: string, deep = false): Set<string> {
  const found = new Set<string>()
  for (const token of tokenize(sql)) {
    if (token.kind === 'identifier') found.add(token.value)
    else if (deep && token.kind === 'string') for (const inner of identifiersOf(token.value, true)) found.add(inner)
  }
  return found
}

export interface Token {
  readonly kind: 'identifier' | 'string' | 'space' | 'other'
  readonly text: string
  /** Without quotes and escapes; bare identifiers in lower case. */
  readonly value: string
}

/** Cuts SQL into tokens whose texts, joined, are the SQL again. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = []
  tokenPattern.lastIndex = 0
  while (tokenPattern.lastIndex < sql.length) {
    const match = tokenPattern.exec(sql)!
    const text = match[0]
    if (match[1] !== undefined) tokens.push({ kind: 'space', text, value: '' })
    else if (match[2] !== undefined || match[3] !== undefined)
      tokens.push({ kind: 'string', text, value: unquote(text) })
    else if (match[5] !== undefined)
      tokens.push({ kind: 'identifier', text, value: text.slice(1, -1).replaceAll('""', '"') })
    else if (match[6] !== undefined) tokens.push({ kind: 'identifier', text, value: text.toLowerCase() })
    else tokens.push({ kind: 'other', text, value: text })
  }
  return tokens
}

/** Space and comments; strings; dollar-quoted strings (and their tag); quoted identifiers; bare identifiers; anything else, one character. */
const tokenPattern =
  /(\s+|--[^\n]*|\/\*[\s\S]*?\*\/)|([eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*')|(\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[\s\S]*?\$\4\$)|("(?:[^"]|"")*")|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|([\s\S])/gy

function unquote(text: string): string {
  if (text.startsWith('$')) {
    const end = text.indexOf('$', 1) + 1
    return text.slice(end, text.length - end)
  }
  if (/^[eE]/.test(text))
    return text
      .slice(2, -1)
      .replaceAll("''", "'")
      .replace(/\\([\s\S])/g, '$1')
  return text.slice(1, -1).replaceAll("''", "'")
}

function standsForColumn(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1]
  const after = tokens[at + 1]
  if (after?.text === '(' || after?.text === '.') return false
  if (before?.text === ':') return false
  if (before?.text !== '.') return true
  const qualifier = tokens[at - 2]
  return tokens[at - 3]?.text !== '.' && (qualifier?.value === 'new' || qualifier?.value === 'old')
}

function isRegclass(tokens: readonly Token[], at: number): boolean {
  return tokens[at + 1]?.text === ':' && tokens[at + 2]?.text === ':' && tokens[at + 3]?.value === 'regclass'
}

function parseQualified(text: string): TableName {
  const names = tokenize(text).filter((token) => token.kind === 'identifier')
  return { schema: names[0]?.value ?? '', name: names[1]?.value ?? '' }
}
