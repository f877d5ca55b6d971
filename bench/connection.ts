import pg from 'pg'

/** A connection to the database; the caller ends it. */
export async function open(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}

/** Runs the text on a connection of its own. Gives the rows of one statement, as texts; nothing to read for several. */
export async function sql(url: string, text: string): Promise<Record<string, string | null>[]> {
  const client = await open(url)
  try {
    return (await client.query<Record<string, string | null>>(text)).rows
  } finally {
    await client.end()
  }
}
