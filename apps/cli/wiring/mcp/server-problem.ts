/** A problem that the server answered with: its sentence, remedy and code as they came. */
export class ServerProblem extends Error {
  override readonly name = 'ServerProblem'
  readonly code: string
  readonly remedy: string
  readonly retry: boolean
  readonly status: number

  constructor(problem: { code: string; message: string; remedy: string; retry: boolean }, status: number) {
    super(problem.message)
    this.code = problem.code
    this.remedy = problem.remedy
    this.retry = problem.retry
    this.status = status
  }
}
