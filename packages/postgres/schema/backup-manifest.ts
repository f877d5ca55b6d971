import type { TableName } from '@crossfade/model/table-name.ts'

/** `manifest.json` of a backup: what is in the directory beside it. Written last; a directory without one is not finished. */
export interface BackupManifest {
  readonly format: 1
  readonly shard: string
  readonly database: string
  readonly serverVersion: number
  readonly encoding: string
  /** Of the snapshot, by the server's clock. */
  readonly at: string
  readonly lsn: string
  /** File that holds the inventory as JSON. */
  readonly inventory: string
  /** SHA-256, hex, of the SQL files. */
  readonly files: Readonly<Record<string, string>>
  readonly tables: readonly BackupOfTable[]
  /** Sequences that were used, with the value they handed out last. */
  readonly sequences: readonly { readonly name: TableName; readonly value: string }[]
}

export interface BackupOfTable {
  readonly name: TableName
  /** Without generated ones. */
  readonly columns: readonly string[]
  /** COPY BINARY. */
  readonly file: string
  readonly rows: number
  readonly bytes: number
  /** Hex, of the file. */
  readonly sha256: string
  /** Rows and sum of row hashes as the source computed them under the same snapshot; null without a drill. */
  readonly digest: string | null
}
