import { tableKey } from '@crossfade/model/table-name.ts'
import { quoteIdentifier, quoteTable } from '../../connection/quote.ts'
import type { Inventory, Policy, Rule, Table, Trigger, View } from '../inventory-types.ts'
import { builtByConstraint } from './indexes.ts'
import { may, must, type Statement, type WorkUnit } from './step.ts'
import { addConstraint } from './tables.ts'

/** Exclusion constraints and foreign keys, in units per table. */
export function constraintUnits(inventory: Inventory, targetVersion: number): WorkUnit[] {
  return [
    ...inventory.tables.flatMap(exclusionUnit),
    ...inventory.tables.flatMap((table) => foreignKeyUnit(table, targetVersion)),
  ]
}

/** Triggers, rules, policies, row security, replica identity, in units per table. */
export function partsUnits(inventory: Inventory, targetRoles: ReadonlySet<string>): WorkUnit[] {
  return inventory.tables.flatMap((table) => partsUnit(table, targetRoles))
}

/** Which index a table is clustered on. */
export function clusterStatements(inventory: Inventory): Statement[] {
  return inventory.tables.flatMap((table) =>
    table.indexes
      .filter((index) => index.clustered)
      .map((index) =>
        may(
          `cluster mark of ${tableKey(table.name)}`,
          `ALTER TABLE ${quoteTable(table.name)} CLUSTER ON ${quoteIdentifier(index.name)}`,
        ),
      ),
  )
}

/** Triggers and rules of a table or a view, with their enabled state. */
export function triggerStatements(owner: Pick<Table, 'name' | 'triggers' | 'rules'>): Statement[] {
  const name = quoteTable(owner.name)
  return [
    ...owner.rules.flatMap((rule) => [
      must(`rule ${rule.name} on ${tableKey(owner.name)}`, rule.definition),
      ...stateOf(name, 'RULE', rule),
    ]),
    ...owner.triggers.flatMap((trigger) => [
      ...(trigger.parent === null
        ? [must(`trigger ${trigger.name} on ${tableKey(owner.name)}`, trigger.definition)]
        : []),
      ...stateOf(name, 'TRIGGER', trigger),
    ]),
  ]
}

function stateOf(table: string, kind: 'RULE' | 'TRIGGER', part: Rule | Trigger): Statement[] {
  const states: Record<string, string> = { D: 'DISABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' }
  const state = states[part.enabled]
  return state
    ? [
        must(
          `${kind.toLowerCase()} ${part.name} on ${table}`,
          `ALTER TABLE ONLY ${table} ${state} ${kind} ${quoteIdentifier(part.name)}`,
        ),
      ]
    : []
}

function exclusionUnit(table: Table): WorkUnit[] {
  const constraints = table.constraints.filter(
    (each) =>
      each.parent === null &&
      table.indexes.some((index) => index.constraint === each.name && builtByConstraint(table, index)),
  )
  return constraints.map((constraint) => ({
    id: `final ${tableKey(table.name)} constraint ${constraint.name}`,
    phase: constraint.kind === 'primary' ? 'primary' : 'final',
    table: table.root ?? table.name,
    description: `constraint ${constraint.name} of ${tableKey(table.name)}`,
    steps: {
      builds: [],
      transactions: [
        [
          must(
            `constraint ${constraint.name} on ${tableKey(table.name)}`,
            table.kind === 'partitioned'
              ? addConstraint(table.name, constraint).replace('ALTER TABLE ONLY', 'ALTER TABLE')
              : addConstraint(table.name, constraint),
          ),
        ],
      ],
    },
  }))
}

/** Added without looking at the rows, then validated under a lock that lets writes pass. */
function foreignKeyUnit(table: Table, targetVersion: number): WorkUnit[] {
  const keys = table.constraints.filter((each) => each.kind === 'foreign' && each.parent === null && each.local)
  if (keys.length === 0) return []
  // Before 18 a partitioned table takes no foreign key that is not valid; then it is checked as it is added.
  const inTwo = table.kind !== 'partitioned' || targetVersion >= 180_000
  const transactions = keys.flatMap((key) => {
    const subject = `foreign key ${key.name} on ${tableKey(table.name)}`
    const definition = key.definition.replace(/ NOT VALID$/, '')
    const name = quoteTable(table.name)
    const add = (suffix: string) =>
      must(subject, `ALTER TABLE ${name} ADD CONSTRAINT ${quoteIdentifier(key.name)} ${definition}${suffix}`)
    if (!key.enforced) return [[add('')]]
    if (!key.valid) return [[add(' NOT VALID')]]
    if (!inTwo) return [[add('')]]
    return [
      [add(' NOT VALID')],
      [must(subject, `ALTER TABLE ${name} VALIDATE CONSTRAINT ${quoteIdentifier(key.name)}`)],
    ]
  })
  return [
    {
      id: `final ${tableKey(table.name)} foreign keys`,
      phase: 'final',
      table: table.root ?? table.name,
      description: `foreign keys of ${tableKey(table.name)}`,
      steps: { builds: [], transactions },
    },
  ]
}

function partsUnit(table: Table, targetRoles: ReadonlySet<string>): WorkUnit[] {
  const name = quoteTable(table.name)
  const subject = `table ${tableKey(table.name)}`
  const statements = [
    ...triggerStatements(table),
    ...table.policies.map((policy) => createPolicy(table, policy, targetRoles)),
    ...(table.rowSecurity ? [must(subject, `ALTER TABLE ONLY ${name} ENABLE ROW LEVEL SECURITY`)] : []),
    ...(table.forceRowSecurity ? [must(subject, `ALTER TABLE ONLY ${name} FORCE ROW LEVEL SECURITY`)] : []),
    ...(table.replicaIdentity.kind === 'full' || table.replicaIdentity.kind === 'nothing'
      ? [must(subject, `ALTER TABLE ONLY ${name} REPLICA IDENTITY ${table.replicaIdentity.kind.toUpperCase()}`)]
      : []),
  ]
  if (statements.length === 0) return []
  return [
    {
      id: `final ${tableKey(table.name)} triggers and policies`,
      phase: 'final',
      table: table.root ?? table.name,
      description: `triggers, rules and policies of ${tableKey(table.name)}`,
      steps: { builds: [], transactions: [statements] },
    },
  ]
}

/** For the roles that are there. Where none is, the statement fails, which is told as a finding; without its policy a row stays hidden. */
function createPolicy(table: Pick<Table, 'name'>, policy: Policy, targetRoles: ReadonlySet<string>): Statement {
  const roles = policy.roles.filter((role) => role === 'public' || targetRoles.has(role))
  const to = roles.map((role) => (role === 'public' ? 'PUBLIC' : quoteIdentifier(role)))
  return may(
    `policy ${policy.name} on ${tableKey(table.name)}`,
    [
      `CREATE POLICY ${quoteIdentifier(policy.name)} ON ${quoteTable(table.name)}`,
      policy.permissive ? '' : 'AS RESTRICTIVE',
      `FOR ${policy.command}`,
      `TO ${(to.length > 0 ? to : policy.roles.map(quoteIdentifier)).join(', ')}`,
      policy.using === null ? '' : `USING (${policy.using})`,
      policy.check === null ? '' : `WITH CHECK (${policy.check})`,
    ]
      .filter(Boolean)
      .join(' '),
  )
}

/** CREATE VIEW, or CREATE MATERIALIZED VIEW without rows. */
export function createView(view: View): Statement[] {
  const subject = `${view.kind === 'view' ? 'view' : 'materialized view'} ${tableKey(view.name)}`
  const columns = view.columns.map((column) => quoteIdentifier(column.name)).join(', ')
  const options = view.options.length > 0 ? ` WITH (${view.options.join(', ')})` : ''
  const name = quoteTable(view.name)
  if (view.kind === 'materialized') {
    return [must(subject, `CREATE MATERIALIZED VIEW ${name} (${columns})${options} AS ${view.query} WITH NO DATA`)]
  }
  return [
    must(subject, `CREATE VIEW ${name} (${columns})${options} AS ${view.query}`),
    ...view.columns
      .filter((column) => column.default !== null)
      .map((column) =>
        must(subject, `ALTER VIEW ${name} ALTER COLUMN ${quoteIdentifier(column.name)} SET DEFAULT ${column.default}`),
      ),
  ]
}
