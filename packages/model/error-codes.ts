/**
 * Every coded failure and finding of Crossfade. This file *is* the documentation: `docs/reference/errors.md` is generated from it.
 *
 * Ranges: CF1xxx plan and configuration · CF2xxx the user's databases (findings and connection troubles) · CF3xxx copying and following changes ·
 * CF4xxx verification · CF5xxx cutover, fences and the way back · CF6xxx engine, leases and control database · CF7xxx API, CLI and client · CF9xxx our bugs.
 */
export interface ErrorDefinition {
  /** One sentence; `{name}` is filled from the details given to `fail`. */
  readonly sentence: string
  readonly remedy: string
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retry: boolean
}

export const errorDefinitions = {
  CF1001: {
    sentence: 'The plan {path} cannot be read: {reason}.',
    remedy: 'Check the path and the syntax; `crossfade init URL` writes a plan that loads.',
    retry: false,
  },
  CF1002: {
    sentence: 'The plan is not valid at {place}: {reason}.',
    remedy: 'Correct that entry; your editor shows the allowed values when the plan uses `definePlan`.',
    retry: false,
  },
  CF1003: {
    sentence: 'The secret {name} is not set.',
    remedy:
      'Export the environment variable or create the file that the plan names; plans never hold secrets themselves.',
    retry: false,
  },
  CF2001: {
    sentence: 'The database {shard} cannot be reached: {reason}.',
    remedy:
      'Check host, port, user and password of that URL, and that the server accepts connections from this machine.',
    retry: true,
  },
  CF2801: {
    sentence: 'A row has no shard key (its key column is NULL), so no shard owns it.',
    remedy: 'Give the row a key, choose another key column, or leave the row out with `where`.',
    retry: false,
  },
  CF2802: {
    sentence: 'No shard of the topology owns the key {key}.',
    remedy: 'Add the key to the directory or set `otherwise`; close the gap in the ranges of the plan.',
    retry: false,
  },
  CF2803: {
    sentence: 'The shard key {key} is not an integer, but the ranges of the topology are of integers.',
    remedy: "Use `order: 'text'` for this topology or another key column.",
    retry: false,
  },
  CF2804: {
    sentence: 'The routing of epoch {epoch} does not say who answers for {unit}.',
    remedy:
      'The routing in the control database is incomplete; run `crossfade status` to see which migration wrote it.',
    retry: false,
  },
  CF9001: {
    sentence: 'Crossfade contradicted itself: {reason}.',
    remedy:
      'This is a bug; nothing was changed after it was noticed. Report it with the output of `crossfade history --json`.',
    retry: false,
  },
} as const satisfies Record<string, ErrorDefinition>

export type ErrorCode = keyof typeof errorDefinitions
