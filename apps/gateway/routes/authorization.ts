import {
  type ActingInBrowser,
  AuthorizationFailed,
  finishAuthorization,
  startAuthorization,
} from '@crossfade/mcp/authorization/authorize.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import { Type } from 'typebox'
import { type ApiOptions, type Asking, actingOf, type GatewayApi } from '../api-parts.ts'
import { ServiceTypeSchema } from '../contract/services.ts'
import { problems } from '../contract/vocabulary.ts'
import { needService } from './answers.ts'

const tags = ['authorization']
const params = Type.Object({ serviceType: ServiceTypeSchema })

/** Going through an upstream's consent page, in a browser that is signed in. */
export function authorizationRoutes(api: GatewayApi, options: ApiOptions): void {
  api.get(
    '/services/:serviceType/oauth/start',
    {
      schema: {
        operationId: 'startAuthorization',
        tags,
        summary: 'Begin: the browser goes to the consent page of the upstream',
        params,
        querystring: Type.Object(
          {
            returnTo: Type.Optional(
              Type.String({ maxLength: 500, description: 'A path of this server; default: the page of the service.' }),
            ),
            variables: Type.Optional(
              Type.String({ maxLength: 2000, description: 'JSON: values of the base URL’s variables.' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ authorizationUrl: Type.String() }, { title: 'AuthorizationStart' }),
          302: Type.Null({ description: 'To the consent page.' }),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      refuseForeignLink(request.headers['sec-fetch-site'], options.baseUrl)
      const { config } = needService(options, request.params.serviceType, request.asking)
      const acting = inBrowser(request, `${options.baseUrl}/services/${config.serviceType}`)
      const url = await startAuthorization(options, acting, config.serviceType, {
        returnTo: ownPath(options.baseUrl, request.query.returnTo) ?? `/services/${config.serviceType}`,
        variables: variablesOf(request.query.variables),
      })
      if (request.headers.accept?.includes('application/json')) return { authorizationUrl: url.href }
      return reply.redirect(url.href, 302) as never
    },
  )

  api.get(
    '/oauth/callback/:serviceType',
    {
      config: { needs: 'nobody' },
      schema: {
        operationId: 'finishAuthorization',
        tags,
        summary: 'The way back from the consent page',
        params,
        querystring: Type.Record(Type.String(), Type.Unknown()),
        response: { 303: Type.Null({ description: 'To where it was begun.' }), ...problems },
      },
    },
    async (request, reply) => {
      const serviceType = request.params.serviceType
      const page = `/services/${serviceType}`
      const to = (path: string, told: Record<string, string>) => {
        const url = new URL(path, options.baseUrl)
        for (const [name, value] of Object.entries(told)) url.searchParams.set(name, value)
        return reply.redirect(url.href, 303) as never
      }
      try {
        if (request.asking === null) throw fail('CF12030')
        const { config } = needService(options, serviceType, request.asking)
        const acting = inBrowser(request, `${options.baseUrl}${page}`)
        // As it came: a parameter that is there twice must be seen twice.
        const parameters = new URL(request.url, options.baseUrl).searchParams
        const done = await finishAuthorization(options, acting, config.serviceType, parameters)
        const isNew = done.outcome === 'connected'
        return to(done.returnTo, { connected: serviceType, ...(isNew && { token: 'new' }) })
      } catch (error) {
        if (error instanceof AuthorizationFailed) {
          const { code, message } = error.failure
          request.log.warn({ code, serviceType }, message)
          return to(error.returnTo, { failed: code, service: serviceType })
        }
        if (error instanceof Failure && !error.retry) return to(page, { failed: error.code, service: serviceType })
        throw error
      }
    },
  )
}

/** A token can't be bound to a browser, so it can't begin what a browser must end. */
function inBrowser(request: { asking: Asking | null; ip: string }, page: string): ActingInBrowser {
  const { proof, ...rest } = actingOf(request)
  if (proof.kind !== 'session') throw fail('CF12026', { url: page })
  return { ...rest, proof }
}

/**
 * Beginning is a navigation, so the session's cookie comes along from wherever it is linked. Who follows another page's link would bring a token to the host that
 * this page chose (`variables`). Browsers say where a navigation comes from (Fetch Metadata): from a page of ours, or from nowhere (an address typed or pasted).
 */
function refuseForeignLink(site: string | string[] | undefined, baseUrl: string): void {
  if (site === undefined || site === 'same-origin' || site === 'none') return
  throw fail('CF12032', { baseUrl })
}

/** `path` if it is one of this server, else null: nobody is sent to another's page. */
function ownPath(baseUrl: string, path: string | undefined): string | null {
  if (path === undefined || !/^\/(?![/\\])/.test(path) || !URL.canParse(path, baseUrl)) return null
  const url = new URL(path, baseUrl)
  // `/.//host` is a path of ours that is written `//host` when the dots are gone.
  return url.origin === new URL(baseUrl).origin && !url.pathname.startsWith('//') ? url.pathname + url.search : null
}

function variablesOf(text: string | undefined): Record<string, string> {
  if (text === undefined) return {}
  try {
    const parsed = JSON.parse(text) as unknown
    if (
      typeof parsed === 'object' &&
      parsed !== null &&
      Object.values(parsed).every((value) => typeof value === 'string')
    )
      return parsed as Record<string, string>
  } catch {
    // Told below.
  }
  throw fail('CF12033', { reason: '`variables` is no JSON object of texts' })
}
