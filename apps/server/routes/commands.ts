import type { Asker, MigrationService } from '@crossfade/engine/contract.ts'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Api } from '../api.ts'
import { MigrationIdSchema } from '../contract/migration.ts'
import { StageSchema } from '../contract/vocabulary.ts'
import type { Planning } from '../planning.ts'
import { MigrationParams, PlanText, problems } from './route-parts.ts'

const Accepted = Type.Object({ id: MigrationIdSchema }, { title: 'Accepted' })
const accepted = { 202: Accepted, ...problems }
const ToStage = Type.Object({ to: Type.Optional(StageSchema) })
const Once = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({ maxLength: 200, description: 'Requests of one caller with the same key take effect once.' }),
  ),
})

/** Everything that moves a migration. A request with an `Idempotency-Key` header takes effect once, however often it is sent. */
export function commandRoutes(api: Api, service: MigrationService, planning: Planning): void {
  api.post(
    '/migrations',
    {
      config: { access: 'operator' },
      schema: {
        ...described('applyPlan', 'Start the migration of a plan document, or resume it'),
        body: Type.Object({ plan: PlanText, to: Type.Optional(StageSchema) }),
        response: accepted,
      },
    },
    async (request, reply) => {
      const { plan, to } = request.body
      const id = await service.apply(await planning.resolve(plan), askerOf(request), to ? { to } : {})
      return reply.status(202).send({ id })
    },
  )

  const moves = [
    ['advance', 'Go up the ladder: one rung, or to a stage'],
    ['retreat', 'Go down the ladder: one rung, or to a stage'],
  ] as const
  for (const [command, summary] of moves) {
    api.post(
      `/migrations/:id/${command}`,
      {
        config: { access: 'operator' },
        schema: {
          ...described(command, summary),
          params: MigrationParams,
          body: Type.Union([ToStage, Type.Null()]),
          response: accepted,
        },
      },
      async (request, reply) => {
        const { id } = request.params
        await service[command](id, askerOf(request), request.body?.to ? { to: request.body.to } : {})
        return reply.status(202).send({ id })
      },
    )
  }

  const switches = [
    ['pause', 'Stop copy, verification and moves; the streams go on', 'operator'],
    ['resume', 'Go on after a pause or a failure', 'operator'],
    ['abort', 'Take everything back and remove every object of ours; only before the cutover', 'admin'],
  ] as const
  for (const [command, summary, access] of switches) {
    api.post(
      `/migrations/:id/${command}`,
      {
        config: { access },
        schema: {
          ...described(command, summary),
          params: MigrationParams,
          response: accepted,
        },
      },
      async (request, reply) => {
        await service[command](request.params.id, askerOf(request))
        return reply.status(202).send({ id: request.params.id })
      },
    )
  }

  api.post(
    '/migrations/:id/verify',
    {
      config: { access: 'operator' },
      schema: {
        ...described('verify', 'Verify everything now; with `repair`, make what differs equal and verify it again'),
        params: MigrationParams,
        body: Type.Union([Type.Object({ repair: Type.Optional(Type.Boolean()) }), Type.Null()]),
        response: { 202: Type.Object({ id: MigrationIdSchema, report: Type.String() }), ...problems },
      },
    },
    async (request, reply) => {
      const report = await service.verify(request.params.id, askerOf(request), {
        repair: request.body?.repair ?? false,
      })
      return reply.status(202).send({ id: request.params.id, report })
    },
  )

  api.put(
    '/migrations/:id/gates/:gate/approval',
    {
      config: { access: 'admin' },
      schema: {
        ...described('approveGate', 'Let a manual gate pass, or not any more'),
        params: Type.Object({ id: MigrationIdSchema, gate: Type.String({ maxLength: 200 }) }),
        body: Type.Object({ approved: Type.Boolean() }),
        response: accepted,
      },
    },
    async (request, reply) => {
      const { id, gate } = request.params
      await service.approve(id, gate, request.body.approved, askerOf(request))
      return reply.status(202).send({ id })
    },
  )
}

/** What the descriptions of all commands have alike. */
function described(operationId: string, summary: string) {
  return { operationId, tags: ['commands'], summary, headers: Once }
}

/** The journal's actor is the token's name, and the caller's own key makes a repeated request the same request. */
function askerOf(request: FastifyRequest): Asker {
  const key = request.headers['idempotency-key']
  return {
    actor: `api:${request.caller.name}`,
    ...(typeof key === 'string' && key !== '' ? { idempotencyKey: `${request.caller.name} ${key}` } : {}),
  }
}
