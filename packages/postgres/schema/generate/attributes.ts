import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { quoteIdentifier, quoteLiteral, quoteTable } from '../../connection/quote.ts'
import { finding } from '../finding.ts'
import type { Comment, DefaultPrivilege, Grant, Inventory } from '../inventory-types.ts'
import { may, type Statement } from './step.ts'

/** Who may be named on a target. */
export interface TargetRoles {
  readonly roles: ReadonlySet<string>
  /** To whom the connected role may give what it owns: itself, and the roles it is a member of; all for a superuser. */
  readonly ownable: ReadonlySet<string>
  readonly self: string
}

/** ALTER … OWNER TO for everything whose owner on the source is not the role that makes it; the sequences of columns follow their tables. */
export function ownerStatements(inventory: Inventory, target: TargetRoles): Statement[] {
  const owned: { kind: string; name: string; owner: string }[] = [
    ...inventory.schemas
      .filter((each) => each.name !== 'public')
      .map((each) => ({ kind: 'SCHEMA', name: quoteIdentifier(each.name), owner: each.owner })),
    ...inventory.types.map((each) => ({ kind: 'TYPE', name: quoteTable(each.name), owner: each.owner })),
    ...inventory.collations.map((each) => ({ kind: 'COLLATION', name: quoteTable(each.name), owner: each.owner })),
    ...inventory.tables.map((each) => ({ kind: 'TABLE', name: quoteTable(each.name), owner: each.owner })),
    ...inventory.sequences
      .filter((each) => each.ownedBy === null)
      .map((each) => ({ kind: 'SEQUENCE', name: quoteTable(each.name), owner: each.owner })),
    ...inventory.statistics.map((each) => ({ kind: 'STATISTICS', name: quoteTable(each.name), owner: each.owner })),
    ...inventory.views.map((each) => ({
      kind: each.kind === 'view' ? 'VIEW' : 'MATERIALIZED VIEW',
      name: quoteTable(each.name),
      owner: each.owner,
    })),
    ...inventory.routines.map((each) => ({
      kind: each.kind === 'procedure' ? 'PROCEDURE' : each.kind === 'aggregate' ? 'AGGREGATE' : 'FUNCTION',
      name: `${quoteIdentifier(each.schema)}.${quoteIdentifier(each.name)}(${each.kind === 'aggregate' && each.arguments === '' ? '*' : each.arguments})`,
      owner: each.owner,
    })),
  ]
  return owned
    .filter((each) => each.owner !== target.self && target.ownable.has(each.owner))
    .map((each) =>
      may(
        `owner of ${each.kind.toLowerCase()} ${each.name}`,
        `ALTER ${each.kind} ${each.name} OWNER TO ${quoteIdentifier(each.owner)}`,
      ),
    )
}

/**
 * GRANT and REVOKE for what differs from the defaults, to roles that are on the target. The privileges of PUBLIC on the schema `public` stay as the
 * target's version has them (15 took CREATE away for a reason), as with pg_dump.
 */
export function grantStatements(inventory: Inventory, target: TargetRoles): Statement[] {
  const objects = new Map<string, Grant[]>()
  for (const grant of inventory.grants) {
    if (grant.kind === 'schema' && grant.identity === 'public') {
      if (grant.grantee === 'public') continue
    }
    const key = `${grant.kind} ${grant.identity}`
    objects.set(key, [...(objects.get(key) ?? []), grant])
  }
  const statements: Statement[] = []
  for (const grants of objects.values()) {
    const { kind, identity } = grants[0]!
    const on = `${kind.toUpperCase()} ${identity}`
    const publicDefault = kind === 'function' || kind === 'procedure' ? 'EXECUTE' : kind === 'type' ? 'USAGE' : null
    const hasDefault = grants.some((grant) => grant.grantee === 'public' && grant.privilege === publicDefault)
    if (publicDefault && !hasDefault)
      statements.push(may(`privileges on ${on}`, `REVOKE ${publicDefault} ON ${on} FROM PUBLIC`))
    for (const grant of grants) {
      if (grant.toOwner || (grant.grantee === 'public' && grant.privilege === publicDefault)) continue
      if (!isThere(grant.grantee, target)) continue
      const column = grant.column === null ? '' : ` (${quoteIdentifier(grant.column)})`
      statements.push(
        may(
          `privileges on ${on}`,
          `GRANT ${grant.privilege}${column} ON ${on} TO ${grantee(grant.grantee)}${grant.grantable ? ' WITH GRANT OPTION' : ''}`,
        ),
      )
    }
  }
  return [...statements, ...defaultPrivilegeStatements(inventory.defaultPrivileges, target)]
}

/** COMMENT ON everything that has one. */
export function commentStatements(inventory: Inventory): Statement[] {
  return inventory.comments.flatMap((comment) => {
    const on = commentTarget(comment)
    return on === null ? [] : [may(`comment on ${on}`, `COMMENT ON ${on} IS ${quoteLiteral(comment.text)}`)]
  })
}

/** CREATE STATISTICS, and its target. */
export function statisticsStatements(inventory: Inventory): Statement[] {
  return inventory.statistics.flatMap((each) => [
    may(`statistics object ${tableKey(each.name)}`, each.definition),
    ...(each.target === null
      ? []
      : [
          may(
            `statistics object ${tableKey(each.name)}`,
            `ALTER STATISTICS ${quoteTable(each.name)} SET STATISTICS ${each.target}`,
          ),
        ]),
  ])
}

/** One finding for each role that the source's objects name and the target does not have, or may not give things to. */
export function roleFindings(inventory: Inventory, target: TargetRoles, shard: ShardId): Finding[] {
  const owners = new Map<string, number>()
  const count = (role: string) => owners.set(role, (owners.get(role) ?? 0) + 1)
  for (const each of inventory.schemas) if (each.name !== 'public') count(each.owner)
  for (const each of [...inventory.tables, ...inventory.views, ...inventory.routines, ...inventory.types])
    count(each.owner)
  for (const each of inventory.sequences) if (!each.ownedBy) count(each.owner)
  const findings: Finding[] = []
  for (const [role, objects] of owners) {
    if (target.ownable.has(role) || role === target.self) continue
    const reason = target.roles.has(role) ? `${target.self} is not a member of it` : 'the target has no such role'
    findings.push(
      finding(
        'CF2204',
        'warn',
        `${shard} role ${role}`,
        { shard, role, objects, self: target.self, reason },
        target.roles.has(role)
          ? `\`GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(target.self)}\` on the target, or give the objects to it afterwards.`
          : `\`CREATE ROLE ${quoteIdentifier(role)}\` on the target, then \`GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(target.self)}\`.`,
      ),
    )
  }
  const grantees = new Set([
    ...inventory.grants.filter((grant) => !grant.toOwner).map((grant) => grant.grantee),
    ...inventory.defaultPrivileges.map((each) => each.grantee),
    ...inventory.tables.flatMap((table) => table.policies.flatMap((policy) => policy.roles)),
  ])
  for (const role of grantees) {
    if (isThere(role, target) || owners.has(role)) continue
    findings.push(
      finding(
        'CF2205',
        'warn',
        `${shard} role ${role}`,
        { shard, role },
        `\`CREATE ROLE ${quoteIdentifier(role)}\` on the target.`,
      ),
    )
  }
  return findings
}

function defaultPrivilegeStatements(privileges: readonly DefaultPrivilege[], target: TargetRoles): Statement[] {
  return privileges
    .filter((each) => each.grantee !== each.role && target.roles.has(each.role) && isThere(each.grantee, target))
    .map((each) =>
      may(
        `default privileges of ${each.role}`,
        `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(each.role)}${each.schema === null ? '' : ` IN SCHEMA ${quoteIdentifier(each.schema)}`} GRANT ${each.privilege} ON ${each.objects} TO ${grantee(each.grantee)}${each.grantable ? ' WITH GRANT OPTION' : ''}`,
      ),
    )
}

function isThere(role: string, target: TargetRoles): boolean {
  return role === 'public' || target.roles.has(role) || role.startsWith('pg_')
}

function grantee(role: string): string {
  return role === 'public' ? 'PUBLIC' : quoteIdentifier(role)
}

/** What COMMENT ON calls the object; null for what it knows no word for. */
function commentTarget(comment: Comment): string | null {
  const { kind, identity } = comment
  if (kind.endsWith(' column')) return `COLUMN ${identity}`
  if (kind === 'table constraint') return `CONSTRAINT ${identity}`
  if (kind === 'domain constraint')
    return `CONSTRAINT ${identity.replace(/^("(?:[^"]|"")*"|[^ ]+) on /, '$1 ON DOMAIN ')}`
  if (kind === 'statistics object') return `STATISTICS ${identity}`
  if (kind === 'composite type') return `TYPE ${identity}`
  const plain =
    /^(schema|table|view|materialized view|sequence|index|function|procedure|aggregate|type|collation|trigger|rule|policy|domain)$/
  return plain.test(kind) ? `${kind.toUpperCase()} ${identity}` : null
}
