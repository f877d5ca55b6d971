import { changeInstance, needInstance, removeInstance } from '@crossfade/mcp/instances/change-instance.ts'
import { connect } from '@crossfade/mcp/instances/connect.ts'
import { readInstances } from '@crossfade/mcp/instances/instance-record.ts'
import { createToken, listTokens, revokeToken } from '@crossfade/mcp/instances/instance-tokens.ts'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { fail } from '@crossfade/model/failure.ts'
import { parseTokenId, type ServiceType } from '@crossfade/model/platform-ids.ts'
import { Type } from 'typebox'
import { type ApiOptions, actingOf, type GatewayApi } from '../api-parts.ts'
import {
  AuthenticatedSchema,
  AuthenticateSchema,
  ChangeInstanceSchema,
  InstanceDetailSchema,
  InstanceSchema,
  MintedTokenSchema,
  NewTokenSchema,
  TokenSchema,
} from '../contract/instances.ts'
import { type Health, ServiceTypeSchema } from '../contract/services.ts'
import { problems } from '../contract/vocabulary.ts'
import { snippetsFor, tokenPlaceholder } from '../snippets.ts'
import { instanceAnswer, mintedAnswer, needService, tokenAnswer, urlOf } from './answers.ts'

const tags = ['instances']
const params = Type.Object({ serviceType: ServiceTypeSchema })
const nothing = Type.Null({ description: 'Done.' })

/** What users have of services: instances, credentials, tokens. */
export function instanceRoutes(
  api: GatewayApi,
  options: ApiOptions,
  health: () => Promise<ReadonlyMap<string, Health>>,
): void {
  api.post(
    '/services/:serviceType/authenticate',
    {
      schema: {
        operationId: 'authenticate',
        tags,
        summary: 'Connect a service, or replace its key',
        description:
          'The key is checked against the upstream first. 201: a new instance with its first token. 200: the key of the instance that there was; id, URL, tokens and settings stay.',
        params,
        body: AuthenticateSchema,
        response: { 200: AuthenticatedSchema, 201: AuthenticatedSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { config } = needService(options, request.params.serviceType, request.asking)
      const connected = await connect(options, actingOf(request), config.serviceType, request.body)
      const { record, minted, outcome, verification } = connected
      return reply.status(outcome === 'connected' ? 201 : 200).send({
        instance: instanceAnswer(options, record, await health()),
        minted: minted && mintedAnswer(options, record, minted),
        outcome,
        verification,
      })
    },
  )

  api.get(
    '/services/:serviceType/instance',
    {
      schema: {
        operationId: 'getInstance',
        tags,
        summary: 'The instance of a service: address, state, tokens, what to paste into clients',
        params,
        response: { 200: InstanceDetailSchema, ...problems },
      },
    },
    (request) => detail(request, request.params.serviceType),
  )

  api.patch(
    '/services/:serviceType/instance',
    {
      schema: {
        operationId: 'changeInstance',
        tags,
        summary: 'Choose tools, reword them, or switch the instance off and on',
        params,
        body: ChangeInstanceSchema,
        response: { 200: InstanceDetailSchema, ...problems },
      },
    },
    async (request) => {
      const service = needService(options, request.params.serviceType, request.asking)
      const { proof, sourceIp } = actingOf(request)
      await asUser(options.api, proof, (client) => changeInstance(client, service, request.body, sourceIp))
      return detail(request, request.params.serviceType)
    },
  )

  api.delete(
    '/services/:serviceType/instance',
    {
      schema: {
        operationId: 'deleteInstance',
        tags,
        summary: 'Disconnect a service: key, tokens and address are gone at once',
        params,
        response: { 204: nothing, ...problems },
      },
    },
    async (request, reply) => {
      // Also of a service that is no longer served.
      const serviceType = request.params.serviceType as ServiceType
      const { proof, sourceIp } = actingOf(request)
      await asUser(options.api, proof, (client) => removeInstance(client, serviceType, sourceIp))
      return reply.status(204).send(null)
    },
  )

  api.get(
    '/user/instances',
    {
      schema: {
        operationId: 'listInstances',
        tags,
        summary: 'All services that the caller is connected to',
        response: { 200: Type.Object({ instances: Type.Array(InstanceSchema) }), ...problems },
      },
    },
    async ({ asking }) => {
      const [records, states] = await Promise.all([
        asUser(options.api, asking!.proof, (client) => readInstances(client, null)),
        health(),
      ])
      return { instances: records.map((record) => instanceAnswer(options, record, states)) }
    },
  )

  api.get(
    '/services/:serviceType/instance/tokens',
    {
      schema: {
        operationId: 'listTokens',
        tags,
        summary: 'Tokens of an instance, revoked ones too',
        params,
        response: { 200: Type.Object({ tokens: Type.Array(TokenSchema) }), ...problems },
      },
    },
    async ({ params: { serviceType }, asking }) => {
      const { config } = needService(options, serviceType, asking)
      const tokens = await asUser(options.api, asking!.proof, async (client) => {
        const { instanceId } = await needInstance(client, config.serviceType)
        return listTokens(client, instanceId)
      })
      return { tokens: tokens.map(tokenAnswer) }
    },
  )

  api.post(
    '/services/:serviceType/instance/tokens',
    {
      schema: {
        operationId: 'createToken',
        tags,
        summary: 'Make a token, or a URL with a secret in it',
        params,
        body: NewTokenSchema,
        response: { 201: MintedTokenSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { config } = needService(options, request.params.serviceType, request.asking)
      const { proof, sourceIp } = actingOf(request)
      const { record, minted } = await asUser(options.api, proof, async (client) => {
        const instance = await needInstance(client, config.serviceType)
        return { record: instance, minted: await createToken(client, instance.instanceId, request.body, sourceIp) }
      })
      return reply.status(201).send(mintedAnswer(options, record, minted))
    },
  )

  api.delete(
    '/services/:serviceType/instance/tokens/:id',
    {
      schema: {
        operationId: 'revokeToken',
        tags,
        summary: 'Revoke a token, on every worker at once',
        params: Type.Object({ serviceType: ServiceTypeSchema, id: Type.String({ maxLength: 50 }) }),
        response: { 204: nothing, ...problems },
      },
    },
    async (request, reply) => {
      const { config } = needService(options, request.params.serviceType, request.asking)
      const tokenId = parseTokenId(request.params.id)
      if (tokenId === null) throw fail('CF12015')
      const { proof, sourceIp } = actingOf(request)
      await asUser(options.api, proof, async (client) => {
        const { instanceId } = await needInstance(client, config.serviceType)
        await revokeToken(client, instanceId, tokenId, sourceIp)
      })
      return reply.status(204).send(null)
    },
  )

  async function detail({ asking }: { asking: Parameters<typeof actingOf>[0]['asking'] }, name: string) {
    const { config } = needService(options, name, asking)
    const { record, tokens } = await asUser(options.api, asking!.proof, async (client) => {
      const instance = await needInstance(client, config.serviceType)
      return { record: instance, tokens: await listTokens(client, instance.instanceId) }
    })
    const subject = { serviceType: name, url: urlOf(options.baseUrl, record), token: tokenPlaceholder }
    return {
      instance: instanceAnswer(options, record, await health()),
      tokens: tokens.map(tokenAnswer),
      snippets: snippetsFor(subject),
    }
  }
}
