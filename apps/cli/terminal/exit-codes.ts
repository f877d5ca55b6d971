export const exitCodes = {
  fine: 0,
  /** A finding that blocks, a mismatch, or a failure. */
  failure: 1,
  /** The command was not written as it should be. */
  usage: 2,
  /** Ctrl-C: what runs elsewhere runs on. */
  interrupted: 130,
} as const
