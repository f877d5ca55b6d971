import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { consoleFiles } from '@crossfade/http-api/console-files.ts'
import { fail } from '@crossfade/model/failure.ts'
import fastifyStatic from '@fastify/static'
import type { GatewayApi } from './api-parts.ts'

/** Serves the built console: a single page, whose router knows the address. Nothing is served where it was not built. */
export async function serveConsole(api: GatewayApi, directory: string): Promise<void> {
  if (!existsSync(join(directory, 'index.html'))) return
  await api.register(fastifyStatic, consoleFiles(directory))
  api.get('/*', { config: { needs: 'nobody' }, schema: { hide: true } }, (request, reply) => {
    const path = request.url.split('?')[0]!
    if (path.startsWith('/api/') || !request.headers.accept?.includes('text/html')) {
      throw fail('CF12034', { path: path.slice(0, 200) })
    }
    return reply.sendFile('index.html')
  })
}
