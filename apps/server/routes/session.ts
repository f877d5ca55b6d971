import { Type } from 'typebox'
import type { Api } from '../api.ts'
import { roles } from '../authentication.ts'
import { word } from '../contract/vocabulary.ts'
import { problems } from './route-parts.ts'

/** Who is asking, so that a front end can show what may be done. */
export function sessionRoutes(api: Api): void {
  api.get(
    '/session',
    {
      schema: {
        operationId: 'getSession',
        tags: ['session'],
        summary: 'The name and the role of the caller',
        response: {
          200: Type.Object(
            { name: Type.String({ description: 'As it stands in the journal.' }), role: word(roles) },
            { title: 'Session' },
          ),
          ...problems,
        },
      },
    },
    (request) => ({ name: request.caller.name, role: request.caller.role }),
  )
}
