import { fail } from '@crossfade/model/failure.ts'
import { textTable } from '@crossfade/plan/text-table.ts'
import { type Command, Option } from 'commander'
import { printJson, printNote, printText } from '../../terminal/output.ts'
import { readSecretFile } from '../../terminal/read-secret-file.ts'
import { colour } from '../../terminal/style.ts'
import { type CommonOptions, common } from '../command.ts'

interface ClientsOptions extends CommonOptions {
  readonly database?: string
}

interface SetOptions extends ClientsOptions {
  readonly clientId: string
  readonly clientSecretFile?: string
  readonly public?: boolean
}

/** `crossfade mcp upstream-clients list|set|remove`: which OAuth client this installation is at GitHub, Slack and the like. */
export function registerUpstreamClients(mcp: Command): void {
  const clients = mcp
    .command('upstream-clients')
    .summary('keep the OAuth clients that are registered at upstreams')
    .description(
      'For services that are connected by OAuth the administrator registers a client at the upstream, with the redirect URI that is shown here. Kept in the database, secrets sealed under the master key. CROSSFADE_MCP_OAUTH_<SERVICE>_CLIENT_ID and _CLIENT_SECRET in the environment of a server go before it.',
    )
  withDatabase(
    clients
      .command('list')
      .summary('show the clients, without their secrets')
      .description('Shows the stored clients, and the redirect URI that each must have at its upstream.'),
    'crossfade mcp upstream-clients list --json',
  ).action(list)
  withDatabase(
    clients
      .command('set')
      .summary('store the client of a service')
      .description(
        'Stores the client of a service, or replaces it; every worker uses it at once. Accounts that were connected by another client must be connected again when their access ends.',
      )
      .argument('<service>', 'as `crossfade mcp services` lists it')
      .requiredOption('--client-id <id>', 'as the upstream shows it')
      .option('--client-secret-file <file>', 'file that holds the secret; - reads standard input')
      .addOption(
        new Option('--public', 'a client without a secret, which PKCE alone protects').conflicts('clientSecretFile'),
      ),
    'crossfade mcp upstream-clients set github --client-id Iv1.8a61 --client-secret-file github.secret',
  ).action(set)
  withDatabase(
    clients
      .command('remove')
      .summary('forget the client of a service')
      .description('Takes the client out; nobody can connect the service by OAuth then, and access is not renewed.')
      .argument('<service>'),
    'crossfade mcp upstream-clients remove github',
  ).action(remove)
}

function withDatabase(command: Command, example: string): Command {
  return common(command, example).option('--database <url>', 'as for `crossfade mcp serve`')
}

async function list(options: ClientsOptions): Promise<void> {
  const { storedClients } = await import('@crossfade/gateway-app/upstream-clients.ts')
  const clients = await storedClients(options)
  if (options.json) return printJson(clients)
  if (clients.length === 0) return printText('No client is stored.')
  const rows = clients.map(({ serviceType, clientId, keyEncryptionKeyId, updatedAt, redirectUri }) => [
    serviceType,
    clientId,
    keyEncryptionKeyId === null ? 'none' : 'sealed',
    updatedAt.toISOString(),
    redirectUri,
  ])
  printText(textTable(['service', 'client id', 'secret', 'changed', 'redirect URI'], rows))
}

async function set(service: string, options: SetOptions): Promise<void> {
  const { clientId, clientSecretFile } = options
  if (clientSecretFile === undefined && !options.public) {
    const option = '--client-secret-file FILE, or --public where it has none'
    throw fail('CF14013', { service, wanted: 'the secret of its OAuth client', option })
  }
  const clientSecret = clientSecretFile === undefined ? null : readSecretFile(clientSecretFile, 'client secret')
  const { setClient } = await import('@crossfade/gateway-app/upstream-clients.ts')
  const { redirectUri } = await setClient({ database: options.database, service, clientId, clientSecret })
  if (options.json) return printJson({ service, clientId, public: clientSecret === null, redirectUri })
  printText(`${colour.green('✓')} ${service} is connected by the client ${clientId}.`)
  printNote(colour.dim(`  The upstream must have this redirect URI: ${redirectUri}`))
}

async function remove(service: string, options: ClientsOptions): Promise<void> {
  const { unsetClient } = await import('@crossfade/gateway-app/upstream-clients.ts')
  const removed = await unsetClient({ ...options, service })
  if (options.json) return printJson({ service, removed })
  printText(removed ? `${colour.green('✓')} The client of ${service} is gone.` : `No client of ${service} is stored.`)
}
