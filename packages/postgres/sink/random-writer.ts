// For tests: writes at random to sharded sources, seeded; with key changes, unchanged TOAST values, moves between shards, rows without identity.
import { asShardId, type ShardId } from '@crossfade/model/ids.ts'
import type { ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { routerOf } from '@crossfade/routing/route.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import type { Client } from 'pg'
import { testTable } from './sink-testing.ts'

const tenantsMax = 24

/** A tenant's accounts and what hangs on them by one and by two parents, rows keyed by tenant, rows without identity, and a reference table. */
export const writerTables: readonly ResolvedTable[] = [
  testTable('setting', { code: 'text', value: 'text' }, { route: { kind: 'reference' } }),
  testTable(
    'account',
    { id: 'bigint', tenant: 'text', name: 'text', body: 'text' },
    { route: { kind: 'column', column: 'tenant' } },
  ),
  testTable(
    'entry',
    { id: 'bigint', account: 'bigint', note: 'text', body: 'text' },
    {
      route: {
        kind: 'parent',
        column: 'account',
        parent: { schema: 'public', name: 'account' },
        parentColumn: 'id',
        then: { kind: 'column', column: 'tenant' },
      },
    },
  ),
  testTable(
    'remark',
    { id: 'bigint', entry: 'bigint', note: 'text' },
    {
      route: {
        kind: 'parent',
        column: 'entry',
        parent: { schema: 'public', name: 'entry' },
        parentColumn: 'id',
        then: {
          kind: 'parent',
          column: 'account',
          parent: { schema: 'public', name: 'account' },
          parentColumn: 'id',
          then: { kind: 'column', column: 'tenant' },
        },
      },
    },
  ),
  testTable(
    'usage',
    { tenant: 'text', day: 'integer', amount: 'integer', body: 'text' },
    { identity: { kind: 'key', columns: ['tenant', 'day'] }, route: { kind: 'column', column: 'tenant' } },
  ),
  testTable(
    'project',
    { tenant: 'text', id: 'bigint', name: 'text', body: 'text' },
    { identity: { kind: 'key', columns: ['tenant', 'id'] }, route: { kind: 'column', column: 'tenant' } },
  ),
  testTable(
    'task',
    { project: 'bigint', step: 'integer', body: 'text' },
    {
      identity: { kind: 'key', columns: ['project', 'step'] },
      route: {
        kind: 'parent',
        column: 'project',
        parent: { schema: 'public', name: 'project' },
        parentColumn: 'id',
        then: { kind: 'column', column: 'tenant' },
      },
    },
  ),
  testTable(
    'event',
    { tenant: 'text', note: 'text', body: 'text' },
    { identity: { kind: 'full' }, route: { kind: 'column', column: 'tenant' } },
  ),
]

/** The tables that a random writer writes to, without foreign keys. */
export const writerSql = `
CREATE TABLE setting (code text PRIMARY KEY, value text);
CREATE TABLE account (id bigint PRIMARY KEY, tenant text NOT NULL, name text, body text);
CREATE TABLE entry (id bigint PRIMARY KEY, account bigint NOT NULL, note text, body text);
CREATE TABLE remark (id bigint PRIMARY KEY, entry bigint NOT NULL, note text);
CREATE TABLE usage (tenant text, day int, amount int, body text, PRIMARY KEY (tenant, day));
CREATE TABLE project (tenant text, id bigint UNIQUE, name text, body text, PRIMARY KEY (tenant, id));
CREATE TABLE task (project bigint, step int, body text, PRIMARY KEY (project, step));
CREATE TABLE event (tenant text NOT NULL, note text, body text);
ALTER TABLE account ALTER body SET STORAGE EXTERNAL;
ALTER TABLE entry ALTER body SET STORAGE EXTERNAL;
ALTER TABLE usage ALTER body SET STORAGE EXTERNAL;
ALTER TABLE event ALTER body SET STORAGE EXTERNAL;
ALTER TABLE project ALTER body SET STORAGE EXTERNAL;
ALTER TABLE task ALTER body SET STORAGE EXTERNAL;
ALTER TABLE event REPLICA IDENTITY FULL;
CREATE INDEX ON entry (account);
CREATE INDEX ON remark (entry);
`

/** Their foreign keys, for the databases that shall have them. */
export const writerForeignKeysSql = `
ALTER TABLE entry ADD FOREIGN KEY (account) REFERENCES account ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE task ADD FOREIGN KEY (project) REFERENCES project (id) ON DELETE CASCADE;
ALTER TABLE remark ADD FOREIGN KEY (entry) REFERENCES entry ON DELETE CASCADE ON UPDATE CASCADE;
`

export interface WriterOptions {
  readonly random: () => number
  readonly shard: string
  readonly topology: Topology
  readonly ordinal: number
}

/** One random transaction after the other on one shard. */
export class RandomWriter {
  readonly #random: () => number
  readonly #tenants: string[] = []
  readonly #first: boolean
  #nextId: number

  constructor(options: WriterOptions) {
    this.#random = options.random
    this.#first = options.ordinal === 0
    this.#nextId = options.ordinal * 1_000_000 + 1
    const shard: ShardId = asShardId(options.shard)
    const route = routerOf(options.topology)
    for (let tenant = 0; tenant < tenantsMax; tenant += 1) {
      if (route(`tenant-${tenant}`) === shard) this.#tenants.push(`tenant-${tenant}`)
    }
  }

  /** Writes `count` transactions of a few statements each; some are rolled back. */
  async write(client: Client, count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      await client.query('BEGIN')
      const statements = 1 + this.#below(6)
      for (let statement = 0; statement < statements; statement += 1) await this.#statement(client)
      await client.query(this.#random() < 0.1 ? 'ROLLBACK' : 'COMMIT')
    }
  }

  async #statement(client: Client): Promise<void> {
    const run = (sql: string, ...values: unknown[]) => client.query(sql, values)
    const tenant = this.#tenant()
    switch (this.#below(25)) {
      case 0:
      case 1:
        return void (await run(
          'INSERT INTO account VALUES ($1, $2, $3, $4)',
          this.#nextId++,
          tenant,
          this.#word(),
          this.#body(),
        ))
      case 2:
      case 3:
      case 4:
        return void (await run(
          'INSERT INTO entry SELECT $1::bigint + row_number() OVER (), id, $2, $3 FROM (SELECT id FROM account ORDER BY md5(id || $2) LIMIT 2) AS a',
          (this.#nextId += 2) - 3,
          this.#word(),
          this.#body(),
        ))
      case 5:
      case 6:
        return void (await run(
          'INSERT INTO remark SELECT $1::bigint + row_number() OVER (), id, $2 FROM (SELECT id FROM entry ORDER BY md5(id || $2) LIMIT 3) AS e',
          (this.#nextId += 3) - 4,
          this.#word(),
        ))
      case 7:
        return void (await run(`UPDATE account SET name = $1 WHERE ${this.#some('id')}`, this.#word()))
      case 8:
        return void (await run(`UPDATE account SET tenant = $1 WHERE ${this.#some('id')}`, tenant))
      case 9:
        return void (await run(`UPDATE entry SET note = $1 WHERE ${this.#some('id')}`, this.#word()))
      case 10:
        return void (await run(`UPDATE entry SET body = $1 WHERE ${this.#some('id')}`, this.#body()))
      case 11:
        return void (await run(
          `UPDATE entry SET account = (SELECT id FROM account ORDER BY md5(id || $1) LIMIT 1) WHERE ${this.#some('id')} AND EXISTS (SELECT 1 FROM account)`,
          this.#word(),
        ))
      case 12:
        return void (await run(`DELETE FROM account WHERE ${this.#one('account')}`))
      case 13:
        return void (await run(`UPDATE remark SET note = $1 WHERE ${this.#some('id')}`, this.#word()))
      case 14:
        return void (await run(`DELETE FROM entry WHERE ${this.#one('entry')}`))
      case 15:
        return void (await run(
          'INSERT INTO usage VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, day) DO UPDATE SET amount = usage.amount + 1',
          tenant,
          this.#below(8),
          this.#below(100),
          this.#body(),
        ))
      case 16:
        return void (await run(
          `UPDATE usage AS u SET tenant = $1, day = day + 100 WHERE ${this.#some('(day || tenant)')} AND NOT EXISTS (SELECT 1 FROM usage AS o WHERE o.tenant = $1 AND o.day = u.day + 100) AND (SELECT count(*) FROM usage AS o WHERE o.day = u.day) = 1`,
          tenant,
        ))
      case 17:
        return void (await run(
          'INSERT INTO event SELECT $1, $2, $3 FROM generate_series(1, $4)',
          tenant,
          this.#word(),
          this.#body(),
          1 + this.#below(3),
        ))
      case 18:
        return void (await run(
          this.#random() < 0.5
            ? 'UPDATE event SET note = $1 WHERE ctid = (SELECT min(ctid) FROM event)'
            : 'DELETE FROM event WHERE ctid IN (SELECT ctid FROM event ORDER BY md5(note || $1) LIMIT 2)',
          this.#word(),
        ))
      case 19:
        return void (await run(
          'INSERT INTO project VALUES ($1, $2, $3, $4)',
          tenant,
          this.#nextId++,
          this.#word(),
          this.#body(),
        ))
      case 20:
        return void (await run(
          'INSERT INTO task SELECT id, $1, $2 FROM (SELECT id FROM project ORDER BY md5(id || $3) LIMIT 2) AS p ON CONFLICT DO NOTHING',
          this.#below(6),
          this.#body(),
          this.#word(),
        ))
      case 21:
        return void (await run(`UPDATE project SET tenant = $1 WHERE ${this.#some('id')}`, tenant))
      case 22:
        return void (await run(
          `UPDATE task SET step = step + 50 WHERE ${this.#some('project')} AND NOT EXISTS (SELECT 1 FROM task AS o WHERE o.project = task.project AND o.step = task.step + 50) AND step < 50`,
        ))
      case 23:
        return void (await run(
          this.#random() < 0.5
            ? `DELETE FROM project WHERE ${this.#one('project')}`
            : `DELETE FROM task WHERE ${this.#some('project')}`,
        ))
      default:
        if (!this.#first) return
        if (this.#random() < 0.2) return void (await run('DELETE FROM setting WHERE code = $1', this.#word()))
        return void (await run(
          'INSERT INTO setting VALUES ($1, $2) ON CONFLICT (code) DO UPDATE SET value = excluded.value',
          this.#word(),
          this.#word(),
        ))
    }
  }

  #tenant(): string {
    return this.#tenants[this.#below(this.#tenants.length)]!
  }

  #word(): string {
    return `w${this.#below(12)}`
  }

  /** Often long enough to be kept out of line. */
  #body(): string | null {
    const kind = this.#below(4)
    return kind === 0 ? null : kind === 1 ? 'short' : `${this.#below(1000)} `.repeat(1_000)
  }

  #some(expression: string): string {
    return `abs(hashtext(${expression}::text || '${this.#below(1000)}')) % 7 = 0`
  }

  #one(table: string): string {
    return `id = (SELECT id FROM ${table} ORDER BY md5(id || '${this.#below(1000)}') LIMIT 1)`
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}
