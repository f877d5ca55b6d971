import type { FastifyStaticOptions } from '@fastify/static'

/** How the files of the built console are served: their names change with their content, the page itself is asked for each time, and runs nothing from elsewhere. For @fastify/static. */
export function consoleFiles(directory: string): FastifyStaticOptions {
  return {
    root: directory,
    wildcard: false,
    setHeaders: (response, path) => {
      response.header('cache-control', path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache')
      response.header(
        'content-security-policy',
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
      )
    },
  }
}
