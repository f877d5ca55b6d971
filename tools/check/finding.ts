// What a check finds: one place and one sentence. A check that finds nothing passes.

export interface CheckFinding {
  /** A path relative to the project's root, with `:line` where one is known. */
  place: string
  reason: string
}
