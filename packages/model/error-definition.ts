/** What a code stands for. */
export interface ErrorDefinition {
  /** One sentence; `{name}` is filled from the details given to `fail`. */
  readonly sentence: string
  readonly remedy: string
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retry: boolean
}
