// How the value of a parameter, or of a form's member, is written: OpenAPI's `style`, `explode` and `allowReserved`.
import type { CallParameter } from '../catalog.ts'
import { asText, type JsonObject } from '../json-value.ts'

export interface Writing {
  readonly style: CallParameter['style']
  readonly explode: boolean
  readonly allowReserved?: true
}

/** Swagger 2's `ssv`, `tsv` and `pipes` are for every place; OpenAPI 3 kept two of them, for queries. */
const separated = ['spaceDelimited', 'pipeDelimited', 'tabDelimited'] as const
/** What each place can have, its default first ("Style Values"). */
const stylesOf: Readonly<Record<CallParameter['in'], readonly CallParameter['style'][]>> = {
  path: ['simple', 'label', 'matrix', ...separated],
  query: ['form', ...separated, 'deepObject'],
  header: ['simple', ...separated],
  cookie: ['form'],
}

/** What `source` (a Parameter Object, or an Encoding Object as of a query) says, with the defaults of the specification. A style that its place does not have is taken for the default. */
export function writingOf(source: JsonObject, place: CallParameter['in']): Writing {
  const declared = asText(source['style'])
  const style = stylesOf[place].find((each) => each === declared) ?? stylesOf[place][0]!
  // `simple` of a query is a mistake, and means commas.
  const byDefault = style === 'form' && declared !== 'simple'
  const explode = typeof source['explode'] === 'boolean' ? source['explode'] : byDefault
  return { style, explode, ...(source['allowReserved'] === true ? { allowReserved: true } : {}) }
}
