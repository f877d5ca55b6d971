import { tokenize } from './generate/sql-text.ts'

/** One statement of a dump, with what the comment above it says. */
export interface DumpedStatement {
  /** `TABLE`, `FK CONSTRAINT`, `INDEX ATTACH`, …; empty for the settings at the beginning. */
  readonly type: string
  readonly name: string
  /** Without the semicolon. */
  readonly sql: string
}

/**
 * Cuts the text of a schema dump into statements: at semicolons that are not inside parentheses (rules with several commands) or in the body of a routine
 * in standard SQL.
 */
export function splitDump(text: string): DumpedStatement[] {
  const statements: DumpedStatement[] = []
  let sql = ''
  let type = ''
  let name = ''
  let parentheses = 0
  let blocks = 0
  let previous = ''
  for (const token of tokenize(text.replace(/^\\(un)?restrict .*$/gm, ''))) {
    if (token.kind === 'space' && blocks === 0 && sql.trim() === '') {
      const header = /^-- Name: (.*); Type: (.*); Schema: (?:.*); Owner: .*$/m.exec(token.text)
      if (header) {
        name = header[1]!
        type = header[2]!
      }
      continue
    }
    if (token.text === ';' && parentheses === 0 && blocks === 0) {
      if (sql.trim() !== '') statements.push({ type, name, sql: sql.trim() })
      sql = ''
      continue
    }
    sql += token.text
    if (token.text === '(') parentheses += 1
    else if (token.text === ')') parentheses -= 1
    else if (token.kind === 'identifier' && !token.text.startsWith('"')) {
      if (token.value === 'atomic' && previous === 'begin') blocks += 1
      else if (blocks > 0 && token.value === 'case') blocks += 1
      else if (blocks > 0 && token.value === 'end') blocks -= 1
    }
    if (token.kind !== 'space') previous = token.value
  }
  return statements
}
