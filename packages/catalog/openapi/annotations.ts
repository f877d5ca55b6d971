import type { HttpCall, ToolAnnotations } from '../catalog.ts'

/** Words in an operation's id that say that a POST destroys. */
const destroys =
  /(^|[^a-z])(delete|destroy|remove|purge|revoke|terminate|erase|wipe|uninstall|cancel|archive|kick|ban)(?![a-z])/i

/** What a client may tell its user before a call, from the method: these are hints, not promises. */
export function annotationsOf(method: HttpCall['method'], id: string): ToolAnnotations {
  const readOnly = method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
  const words = id.replace(/([a-z0-9])([A-Z])/g, '$1 $2')
  return {
    readOnlyHint: readOnly,
    destructiveHint: method === 'DELETE' || (!readOnly && destroys.test(words)),
    idempotentHint: readOnly || method === 'PUT' || method === 'DELETE',
    openWorldHint: true,
  }
}
