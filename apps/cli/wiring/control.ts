import { resolve } from 'node:path'
import { type HomeDatabase, openHomeDatabase } from '@crossfade/embedded/home-cluster.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'

/** Where embedded databases live, below the working directory. */
const homeName = '.crossfade'
const databaseName = 'crossfade'

/**
 * The control database: `url`, else CROSSFADE_CONTROL_URL, else an embedded PostgreSQL under `.crossfade` that all processes of this directory share:
 * whoever finds it not running starts it. CF7004 when that fails.
 */
export async function openControl(url: string | undefined, directory = process.cwd()): Promise<HomeDatabase> {
  const given = url ?? process.env['CROSSFADE_CONTROL_URL']
  if (given) return { url: given, release: async () => {} }
  const home = resolve(directory, homeName)
  try {
    return await openHomeDatabase(home, databaseName)
  } catch (error) {
    throw fail('CF7004', { directory: home, reason: reasonOf(error) }, error)
  }
}
