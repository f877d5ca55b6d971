import { type DestinationStream, type Logger, pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

const hidden = '***'
/** What must never be written, wherever in a line it stands: passwords in URLs, bearer tokens, our own tokens by their prefixes, `password=` of connection strings. */
const secrets: readonly (readonly [RegExp, string])[] = [
  [/(:\/\/[^\s:/@"\\]*:)[^\s/@"\\]+@/g, `$1${hidden}@`],
  [/\b(Bearer\s+)[^\s"\\]+/gi, `$1${hidden}`],
  [/(crossfade_|cf[ioprsu]_)[\w-]{16,}/g, `$1${hidden}`],
  [/\b(password\s*=\s*)[^\s"\\&]+/gi, `$1${hidden}`],
]

/** Takes secrets out of a text; for what is already free of them nothing changes. */
export function redact(text: string): string {
  return secrets.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text)
}

/** The structured log, on standard error: one JSON object for each line. Secrets are taken out of the whole line, also where they hide in a message or a stack. */
export function createLogger(level: LogLevel = 'info', destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { process: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['authorization', 'password', 'token', 'secret', ...['*', '*.*'].flatMap(below)],
        censor: hidden,
      },
      hooks: { streamWrite: redact },
    },
    // Written at once: a line that is still in a buffer when the process is killed is the one that was needed.
    destination ?? pino.destination({ dest: 2, sync: true }),
  )
}

function below(where: string): string[] {
  return ['authorization', 'password', 'token', 'secret'].map((name) => `${where}.${name}`)
}
