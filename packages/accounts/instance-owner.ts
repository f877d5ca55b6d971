import type { AccountsContext } from './accounts-context.ts'
import type { InstanceResource } from './instance-resource.ts'

/** Whether the instance is there, active, and this user's. */
export async function isOwner(context: AccountsContext, resource: InstanceResource, userId: string): Promise<boolean> {
  const found = await context.pool.query<{ owner: string | null }>('SELECT find_instance_owner($1, $2) AS owner', [
    resource.instanceId,
    resource.serviceType,
  ])
  return found.rows[0]?.owner === userId
}
