// Where an answer goes on: upstreams that page by `link` headers say it nowhere else.
import type { Tool } from '@crossfade/catalog/catalog.ts'
import type { AnswerHeaders } from './exchange.ts'

/** Of one argument's value; longer ones are no page. */
const valueCharactersMax = 500
/** Of the arguments that get less at once. */
const namesToldMax = 5
/** Names of arguments that choose how much is answered, and from where on. */
const pagingPattern =
  /^(?:per_?page|page(?:_?(?:size|token|number|id))?|page\[\w+\]|limit|count|max_?results|first|after|cursor|offset|start(?:ing_after)?|fields|top|\$?skip(?:token)?|since|marker|continuation_?token)$/i

/** What a caller asks for to get less at once, by the names of the tool's own arguments: the end of a sentence. */
export function lessAtOnce({ call }: Tool): string {
  const members = call.body?.kind === 'members' ? call.body.members : []
  const paging = [...call.parameters, ...members].filter(({ name }) => pagingPattern.test(name))
  if (paging.length === 0) return 'something narrower'
  const names = paging.slice(0, namesToldMax).map(({ argument }) => argument)
  return `less at once with ${names.join(', ')}`
}

/** A sentence that says with which arguments what follows is asked for, by the link with `rel="next"` (RFC 8288); null without one, or when it is not by arguments. */
export function nextPageHint(headers: AnswerHeaders, { call }: Tool): string | null {
  const header = headers['link']
  if (header === undefined) return null
  const target = nextTarget(String(header))
  if (target === null) return null
  const given = call.parameters.flatMap(({ argument, name, in: place }) => {
    const value = place === 'query' && pagingPattern.test(name) ? target.searchParams.get(name) : null
    return value === null || value.length > valueCharactersMax ? [] : [`${argument}=${value}`]
  })
  return given.length === 0 ? null : `There is more: call it again with ${given.join(', ')}.`
}

function nextTarget(header: string): URL | null {
  for (const [, target = '', parameters = ''] of header.matchAll(/<([^<>]*)>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)/i.test(parameters)) continue
    // Relative ones are relative to the request: here the query is all that counts.
    return URL.canParse(target, 'http://upstream.invalid') ? new URL(target, 'http://upstream.invalid') : null
  }
  return null
}
