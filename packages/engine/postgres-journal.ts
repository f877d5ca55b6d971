import { fail } from '@crossfade/model/failure.ts'
import { asMigrationId, type MigrationId } from '@crossfade/model/ids.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import { type Selectable, sql } from 'kysely'
import type { JournalEntry } from './contract.ts'
import { type ControlDatabase, json, sqlState } from './control-queries.ts'
import type { ControlTables, JournalRow } from './control-tables.ts'
import type { Journal, MigrationRecord, MigrationStore, NewEntry } from './store.ts'

const readMax = 1_000

/** The journal in the control database. Appends are functions there, so that version, lease and idempotency key are checked in the transaction that writes. */
export function postgresJournal(control: ControlDatabase): Journal {
  const table = 'crossfade_control.journal'
  return {
    async append(migration, entries, options = {}) {
      const {
        expectedVersion = null,
        lease,
        idempotencyKey = null,
        routing = null,
        paused = null,
        ends = false,
      } = options
      try {
        const { rows } = await control.run((db) =>
          sql<
            Selectable<JournalRow>
          >`SELECT * FROM crossfade_control.append(${migration}, ${json(entries)}, ${expectedVersion}, ${lease?.task ?? null},
            ${lease?.epoch ?? null}, ${idempotencyKey}, ${routing === null ? null : json(routing)}, ${paused}, ${ends})`.execute(
            db,
          ),
        )
        return rows.map(readEntry)
      } catch (error) {
        const { code, message } = error as { code?: string; message: string }
        if (code === sqlState.lease) throw fail('CF6006', { lease: lease?.task }, error)
        if (code === sqlState.version)
          throw fail('CF6005', { migration, version: message.replace('version ', '') }, error)
        throw error
      }
    },
    async appended(migration, idempotencyKey) {
      const rows = await control.run((db) =>
        db
          .selectFrom(table)
          .innerJoin('crossfade_control.idempotency as known', (join) =>
            join
              .onRef('known.migration', '=', `${table}.migration`)
              .onRef('known.first_position', '<=', `${table}.position`)
              .onRef('known.last_position', '>=', `${table}.position`),
          )
          .selectAll(table)
          .where('known.migration', '=', migration)
          .where('known.key', '=', idempotencyKey)
          .orderBy(`${table}.position`)
          .execute(),
      )
      return rows.length > 0 ? rows.map(readEntry) : null
    },
    async read(migration, after, limit = readMax) {
      const rows = await control.run((db) =>
        db
          .selectFrom(table)
          .selectAll()
          .where('migration', '=', migration)
          .where('version', '>', after)
          .orderBy('version')
          .limit(limit)
          .execute(),
      )
      return rows.map(readEntry)
    },
    async newest(migration, limit) {
      const rows = await control.run((db) =>
        db
          .selectFrom(table)
          .selectAll()
          .where('migration', '=', migration)
          .orderBy('version', 'desc')
          .limit(limit)
          .execute(),
      )
      return rows.map(readEntry)
    },
    async after(position, limit, migration) {
      const rows = await control.run((db) => {
        const query = db.selectFrom(table).selectAll().where('position', '>', position).orderBy('position').limit(limit)
        return (migration === undefined ? query : query.where('migration', '=', migration)).execute()
      })
      return rows.map(readEntry)
    },
    async end() {
      const row = await control.run((db) =>
        db
          .selectFrom(table)
          .select((eb) => eb.fn.max('position').as('position'))
          .executeTakeFirst(),
      )
      return row?.position ?? 0
    },
    async routing(migration) {
      const row = await control.run((db) =>
        db.selectFrom('crossfade_control.routing').select('body').where('migration', '=', migration).executeTakeFirst(),
      )
      return (row?.body as Routing | undefined) ?? null
    },
  }
}

/** The migrations in the control database. */
export function postgresMigrations(control: ControlDatabase): MigrationStore {
  const table = 'crossfade_control.migration'
  return {
    async create(id: MigrationId, plan: ResolvedPlan, first: NewEntry) {
      const routing = (first.body as { routing?: Routing }).routing ?? null
      try {
        const { rows } = await control.run((db) =>
          sql<{
            id: string
          }>`SELECT crossfade_control.create_migration(${id}, ${plan.name}, ${json(plan)}, ${json(first)}, ${json(routing)}) AS id`.execute(
            db,
          ),
        )
        return asMigrationId(rows[0]!.id)
      } catch (error) {
        const { code, message } = error as { code?: string; message: string }
        if (code === sqlState.name) throw fail('CF6004', { name: plan.name, migration: message }, error)
        throw error
      }
    },
    async get(id) {
      const row = await control.run((db) => db.selectFrom(table).selectAll().where('id', '=', id).executeTakeFirst())
      return row ? readMigration(row) : null
    },
    async list() {
      const rows = await control.run((db) => db.selectFrom(table).selectAll().orderBy('created_at', 'desc').execute())
      return rows.map(readMigration)
    },
  }
}

function readEntry(row: Selectable<JournalRow>): JournalEntry {
  return {
    ...row,
    migration: asMigrationId(row.migration),
    at: row.at.toISOString(),
    body: row.body as JournalEntry['body'],
  }
}

function readMigration(row: Selectable<ControlTables['crossfade_control.migration']>): MigrationRecord {
  return {
    id: asMigrationId(row.id),
    name: row.name,
    plan: row.plan as unknown as ResolvedPlan,
    createdAt: row.created_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    paused: row.paused,
  }
}
