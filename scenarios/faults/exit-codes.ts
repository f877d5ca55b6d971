/** Of a worker that could not reach the control database at its start: no crash. */
export const unreachableExitCode = 75
