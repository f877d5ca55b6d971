import { nullCell, type Tuple, unchangedCell } from '../changes/message.ts'

/** Whether any cell is an unchanged TOAST value that the stream did not send. */
export function hasUnchanged(tuple: Tuple): boolean {
  const { lengths } = tuple
  for (let cell = 0; cell < lengths.length; cell += 1) if (lengths[cell] === unchangedCell) return true
  return false
}

/** The newer row with its unchanged cells taken from the older one, as far as that has them. The older one is of the same relation. */
export function fillUnchanged(newer: Tuple, older: Tuple): Tuple {
  if (!hasUnchanged(newer)) return newer
  const cells: Cell[] = []
  for (let cell = 0; cell < newer.lengths.length; cell += 1) {
    cells.push(newer.lengths[cell] === unchangedCell ? cellOf(older, cell) : cellOf(newer, cell))
  }
  return tupleOf(cells)
}

/** A cell's value as bytes, null, or `unchangedCell`; and the format of the bytes. */
export interface Cell {
  readonly value: Uint8Array | null | typeof unchangedCell
  readonly binary: boolean
}

/** One cell of the tuple. Its bytes are those of the tuple, not a copy. */
export function cellOf(tuple: Tuple, cell: number): Cell {
  const length = tuple.lengths[cell]!
  if (length === nullCell) return { value: null, binary: false }
  if (length === unchangedCell) return { value: unchangedCell, binary: false }
  const start = tuple.starts[cell]!
  return { value: tuple.bytes.subarray(start, start + length), binary: Boolean(tuple.binary[cell]) }
}

/** A tuple of its own bytes. */
export function tupleOf(cells: readonly Cell[]): Tuple {
  let size = 0
  for (const { value } of cells) if (value instanceof Uint8Array) size += value.length
  const bytes = Buffer.allocUnsafe(size)
  const starts = new Int32Array(cells.length)
  const lengths = new Int32Array(cells.length)
  const binary = new Uint8Array(cells.length)
  let at = 0
  for (let index = 0; index < cells.length; index += 1) {
    const cell = cells[index]!
    if (cell.value === null) lengths[index] = nullCell
    else if (cell.value === unchangedCell) lengths[index] = unchangedCell
    else {
      bytes.set(cell.value, at)
      starts[index] = at
      lengths[index] = cell.value.length
      binary[index] = cell.binary ? 1 : 0
      at += cell.value.length
    }
  }
  return { bytes, starts, lengths, binary }
}

/** A tuple whose cells are texts. */
export function textTuple(values: readonly (string | null)[]): Tuple {
  return tupleOf(values.map((value) => ({ value: value === null ? null : Buffer.from(value, 'utf8'), binary: false })))
}

/**
 * The cells as a map key: the same for two tuples exactly when the cells hold the same bytes. Null when one of them is null or was not sent,
 * which no identity is.
 */
export function cellsKey(tuple: Tuple, cells: readonly number[]): string | null {
  if (cells.length === 1) return cellBytes(tuple, cells[0]!)
  let key = ''
  for (const cell of cells) {
    const bytes = cellBytes(tuple, cell)
    if (bytes === null) return null
    // The length before the bytes, so that ('a','bc') and ('ab','c') stay apart.
    key += `${bytes.length}:${bytes}`
  }
  return key
}

/** The whole row as a map key, nulls told apart from empty values. Unchanged cells must have been filled. */
export function rowKey(tuple: Tuple, cells: readonly number[]): string {
  let key = ''
  for (const cell of cells) {
    const bytes = cellBytes(tuple, cell)
    key += bytes === null ? '-' : `${bytes.length}:${bytes}`
  }
  return key
}

function cellBytes(tuple: Tuple, cell: number): string | null {
  const length = tuple.lengths[cell]!
  if (length < 0) return null
  const start = tuple.starts[cell]!
  return tuple.bytes.toString('latin1', start, start + length)
}
