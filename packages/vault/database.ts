// How the vault asks the platform's database: any trouble of it comes out as CF11014.
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import pg from 'pg'

/** Rows of one statement. Rejects with CF11014 when the database can't be asked. */
export async function ask<Row extends pg.QueryResultRow>(pool: pg.Pool, query: pg.QueryConfig): Promise<Row[]> {
  try {
    return (await pool.query<Row>(query)).rows
  } catch (error) {
    throw fail('CF11014', { reason: reasonOf(error) }, error)
  }
}

/** Runs `work` in a transaction. What it rejects with undoes the transaction and comes out as it is, troubles of the database as CF11014. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw fail('CF11014', { reason: reasonOf(error) }, error)
  })
  let broken: Error | undefined
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch((trouble: Error) => {
      broken = trouble
    })
    if (broken || error instanceof pg.DatabaseError) throw fail('CF11014', { reason: reasonOf(error) }, error)
    throw error
  } finally {
    client.release(broken)
  }
}
