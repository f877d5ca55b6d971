import { quoteIdentifier, quoteTable } from '../../connection/quote.ts'
import type { Sequence } from '../inventory-types.ts'

/** CREATE SEQUENCE; nothing for one behind an identity column, which comes with its table. */
export function createSequence(sequence: Sequence): string[] {
  if (sequence.ownedBy?.identity) return []
  return [
    `CREATE ${sequence.unlogged ? 'UNLOGGED ' : ''}SEQUENCE ${quoteTable(sequence.name)} AS ${sequence.type} ${sequenceOptions(sequence)}`,
  ]
}

/** Ties a sequence to the column that owns it. */
export function ownSequence(sequence: Sequence): string[] {
  const { ownedBy } = sequence
  if (!ownedBy || ownedBy.identity) return []
  return [
    `ALTER SEQUENCE ${quoteTable(sequence.name)} OWNED BY ${quoteTable(ownedBy.table)}.${quoteIdentifier(ownedBy.column)}`,
  ]
}

/** The clauses of a sequence, for CREATE SEQUENCE and for identity columns. Where it stands is not among them. */
export function sequenceOptions(sequence: Sequence): string {
  return [
    `START WITH ${sequence.start}`,
    `INCREMENT BY ${sequence.increment}`,
    `MINVALUE ${sequence.minimum}`,
    `MAXVALUE ${sequence.maximum}`,
    `CACHE ${sequence.cache}`,
    sequence.cycle ? 'CYCLE' : 'NO CYCLE',
  ].join(' ')
}
