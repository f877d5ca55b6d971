import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ClientBase, QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { outcomeOf } from './outcome.ts'

/** A statement as `pg` takes it. */
export type Statement = string | QueryConfig

/** What a transaction's callback works with. Everything goes to one database, in one transaction. */
export interface Transaction {
  query<Row extends QueryResultRow = QueryResultRow>(
    statement: Statement,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>>
}

export interface TransactionOptions<Result> {
  /** What follows BEGIN: `ISOLATION LEVEL REPEATABLE READ`. */
  readonly mode?: string
  /**
   * Asked in a transaction of its own when the connection broke at COMMIT: whether the work is there. True: its result is returned. False: it is done again.
   * Without it such a transaction ends with CF7106.
   */
  readonly committed?: (transaction: Transaction, result: Result) => Promise<boolean>
}

/** What became of one attempt; it throws what the program must see. */
export type Attempt<Result> =
  | { readonly kind: 'committed'; readonly result: Result }
  /** Nothing of it was committed, and it may be done again: after the fence has opened, or at once. */
  | { readonly kind: 'fenced' | 'again'; readonly error: unknown }
  | { readonly kind: 'unknown'; readonly result: Result; readonly error: unknown }

/** Does the work once on a connection that is in no transaction, which it leaves the same unless the connection broke. */
export async function attemptTransaction<Result>(
  client: ClientBase,
  mode: string | undefined,
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Attempt<Result>> {
  try {
    await client.query(mode ? `BEGIN ${mode}` : 'BEGIN')
  } catch (error) {
    return again(error)
  }
  const transaction = new GuardedTransaction(client)
  let result: Result
  try {
    result = await work(transaction)
  } catch (error) {
    await rollBack(client)
    if (transaction.refusal) return again(transaction.refusal)
    // Errors from elsewhere are the program's own, however much they look like a database's.
    if (transaction.gave(error)) return again(error)
    throw error
  } finally {
    transaction.end()
  }
  // The program may have swallowed the refusal; what is left of the work must not be committed without that write.
  if (transaction.refusal) {
    await rollBack(client)
    return again(transaction.refusal)
  }
  return commit(client, result)
}

async function commit<Result>(client: ClientBase, result: Result): Promise<Attempt<Result>> {
  let command: string
  try {
    command = (await client.query('COMMIT')).command
  } catch (error) {
    return outcomeOf(error) === 'lost' ? { kind: 'unknown', result, error } : again(error)
  }
  if (command !== 'COMMIT') throw fail('CF7107')
  return { kind: 'committed', result }
}

/** Throws errors that are the program's own. */
function again(error: unknown): Attempt<never> {
  const outcome = outcomeOf(error)
  if (outcome === 'refused') throw error
  return { kind: outcome === 'fenced' ? 'fenced' : 'again', error }
}

async function rollBack(client: ClientBase): Promise<void> {
  // Where this fails the connection is broken, and the server rolls back by itself.
  await client.query('ROLLBACK').catch(() => undefined)
}

class GuardedTransaction implements Transaction {
  readonly #client: ClientBase
  readonly #errors = new WeakSet<object>()
  #ended = false
  /** The error after which this attempt can't be committed, whatever the program does with it. */
  refusal: unknown = null

  constructor(client: ClientBase) {
    this.#client = client
  }

  async query<Row extends QueryResultRow = QueryResultRow>(
    statement: Statement,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    if (this.#ended) throw fail('CF7108')
    if (this.refusal) throw this.refusal
    try {
      return await this.#client.query<Row>(statement as string, values as unknown[])
    } catch (error) {
      this.#errors.add(error as object)
      const outcome = outcomeOf(error)
      if (outcome === 'fenced' || outcome === 'lost') this.refusal = error
      throw error
    }
  }

  /** Whether an error came out of one of this transaction's statements. */
  gave(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.#errors.has(error)
  }

  end(): void {
    this.#ended = true
  }
}

/** CF7106, with what broke. */
export function unknownOutcome(error: unknown): Error {
  return fail('CF7106', { reason: reasonOf(error) }, error)
}
