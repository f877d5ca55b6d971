import type { ClientBase } from 'pg'

/**
 * Reads the catalog inside one transaction of `readInventory`; `version` decides which columns exist. Answers come as JSON, so that
 * numbers, truth values and arrays are what they are, whatever the client makes of text.
 */
export interface CatalogReader {
  /** As `server_version_num`. */
  readonly version: number
  rows<Row>(sql: string): Promise<Row[]>
}

/** A reader over a client that is in a transaction already. */
export function catalogReader(client: ClientBase, version: number): CatalogReader {
  return {
    version,
    rows: async <Row>(sql: string) => {
      const { rows } = await client.query<{ answer: string }>(
        `SELECT coalesce(pg_catalog.json_agg(answer), '[]')::text AS answer FROM (${sql}) AS answer`,
      )
      return JSON.parse(rows[0]!.answer) as Row[]
    },
  }
}

/** `expression` on servers that have it, `otherwise` on older ones. */
export function since(reader: CatalogReader, major: number, expression: string, otherwise: string): string {
  return reader.version >= major * 10_000 ? expression : otherwise
}
