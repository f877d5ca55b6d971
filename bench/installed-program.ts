import { execFileSync } from 'node:child_process'

/** Whether a peer is there to be measured against. */
export function installed(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
