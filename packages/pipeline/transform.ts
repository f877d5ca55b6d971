/** A value as PostgreSQL prints it, or null. Transforms see and give text; the databases check the types. */
export type Text = string | null
export type Row = Readonly<Record<string, Text>>

/**
 * Makes the target's row of a source row; null leaves the row out.
 * Must be pure: the same row always gives the same result, on every worker, in copy, changes and verification alike.
 */
export type RowTransform = (row: Row) => Row | null

/** Finds a transform by the name that the resolved plan holds. */
export type TransformLookup = (name: string) => RowTransform

/** A transform that can be undone, so that the reverse stream can carry changes back through it. */
export interface ReversibleTransform {
  readonly forward: RowTransform
  /** Null: writes to this table on the target can't go back; the doctor says so before the start. */
  readonly backward: RowTransform | null
}
