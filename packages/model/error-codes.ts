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
    remedy: 'Export the environment variable or create the file that the plan names; plans never hold secrets themselves.',
    retry: false,
  },
  CF2001: {
    sentence: 'The database {shard} cannot be reached: {reason}.',
    remedy: 'Check host, port, user and password of that URL, and that the server accepts connections from this machine.',
    retry: true,
  },
  CF9001: {
    sentence: 'Crossfade contradicted itself: {reason}.',
    remedy: 'This is a bug; nothing was changed after it was noticed. Report it with the output of `crossfade history --json`.',
    retry: false,
  },
} as const satisfies Record<string, ErrorDefinition>

export type ErrorCode = keyof typeof errorDefinitions
