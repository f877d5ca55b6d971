import type { Policy, Rule, Trigger } from '../inventory-types.ts'
import type { CatalogReader } from './catalog-reader.ts'
import { address, groupBy, qualified, userSchema } from './scope.ts'

/** Triggers that users made (not those behind foreign keys, and none of ours), by the relation's oid. */
export async function readTriggers(reader: CatalogReader): Promise<Map<string, Trigger[]>> {
  const rows = await reader.rows<Trigger & { relation: string }>(`
    SELECT t.tgrelid::text AS relation, ${address('pg_trigger', 't.oid')} AS address, t.tgname AS name,
      pg_get_triggerdef(t.oid) AS definition, t.tgenabled::text AS enabled,
      ${qualified('pn.nspname', 'p.proname')} || '()' AS function,
      CASE WHEN t.tgparentid <> 0 THEN ${address('pg_trigger', 't.tgparentid')} END AS parent,
      t.tgconstraint <> 0 AS constraint
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_proc p ON p.oid = t.tgfoid
    JOIN pg_namespace pn ON pn.oid = p.pronamespace
    WHERE NOT t.tgisinternal AND pn.nspname <> 'crossfade' AND ${userSchema('n')}
      OR t.tgisinternal AND t.tgparentid <> 0 AND pn.nspname <> 'crossfade' AND p.prolang <> 12 AND ${userSchema('n')}
    ORDER BY t.tgrelid, t.tgname`)
  return withoutRelation(groupBy(rows, (row) => row.relation))
}

/** Rules but for those that make a view a view, by the relation's oid. */
export async function readRules(reader: CatalogReader): Promise<Map<string, Rule[]>> {
  const rows = await reader.rows<Rule & { relation: string }>(`
    SELECT r.ev_class::text AS relation, ${address('pg_rewrite', 'r.oid')} AS address, r.rulename AS name,
      pg_get_ruledef(r.oid) AS definition, r.ev_enabled::text AS enabled
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT (r.rulename = '_RETURN' AND r.ev_type = '1') AND ${userSchema('n')}
    ORDER BY r.ev_class, r.rulename`)
  return withoutRelation(groupBy(rows, (row) => row.relation))
}

/** Row security policies, by the table's oid. */
export async function readPolicies(reader: CatalogReader): Promise<Map<string, Policy[]>> {
  const rows = await reader.rows<Policy & { relation: string }>(`
    SELECT p.polrelid::text AS relation, ${address('pg_policy', 'p.oid')} AS address, p.polname AS name, p.polpermissive AS permissive,
      CASE p.polcmd WHEN '*' THEN 'ALL' WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' ELSE 'DELETE' END AS command,
      ARRAY(SELECT CASE WHEN r.member = 0 THEN 'public' ELSE pg_get_userbyid(r.member)::text END
        FROM unnest(p.polroles) AS r(member) ORDER BY 1) AS roles,
      pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${userSchema('n')}
    ORDER BY p.polrelid, p.polname`)
  return withoutRelation(groupBy(rows, (row) => row.relation))
}

function withoutRelation<Row>(groups: Map<string, (Row & { relation: string })[]>): Map<string, Row[]> {
  return new Map([...groups].map(([relation, rows]) => [relation, rows.map(({ relation: _, ...row }) => row as Row)]))
}
