import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { grants } from './grants.ts'
import { type TestPlatform, testPlatform } from './testing/test-platform.ts'

let made: Promise<TestPlatform> | undefined
const platform = () => (made ??= testPlatform())
after(async () => (await made)?.close())

/** Every right that anybody but the owner has, as the catalogue tells. */
const rights = `
  SELECT role, thing, string_agg(privilege, ', ' ORDER BY privilege) AS privileges FROM (
    SELECT a.grantee, c.relname::text AS thing, a.privilege_type AS privilege
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
    UNION ALL
    SELECT a.grantee, c.relname::text, a.privilege_type || ' (' || string_agg(t.attname, ', ' ORDER BY t.attname) || ')'
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
    WHERE c.relnamespace = 'public'::regnamespace GROUP BY a.grantee, c.relname, a.privilege_type
    UNION ALL
    SELECT a.grantee, p.proname || '()', a.privilege_type
    FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE p.pronamespace = 'public'::regnamespace AND a.grantee <> p.proowner
    UNION ALL
    SELECT a.grantee, 'schema public', a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a
    WHERE n.nspname = 'public' AND a.grantee <> n.nspowner
    UNION ALL
    SELECT m.member, pg_get_userbyid(m.roleid)::text, 'MEMBER' FROM pg_auth_members m
    WHERE pg_get_userbyid(m.member)::text LIKE 'crossfade_mcp_%' OR pg_get_userbyid(m.roleid)::text LIKE 'crossfade_mcp_%'
  ) found, LATERAL (SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE replace(grantee::regrole::text, 'crossfade_mcp_', '') END AS role) who
  GROUP BY role, thing ORDER BY role, thing`

test('SI-14: every role has the rights that grants.ts lists, and not one more', async () => {
  const all = await platform()
  const { rows } = await all.admin.query<{ role: string; thing: string; privileges: string }>(rights)
  const found = rows.map((row) => `${row.role}: ${row.thing}: ${row.privileges}`).toSorted()
  const listed = Object.entries(grants)
    .flatMap(([role, things]) =>
      Object.entries(things).map(([thing, privileges]) => `${role}: ${thing}: ${privileges}`),
    )
    .toSorted()
  const differences = {
    grantedButNotListed: found.filter((line) => !listed.includes(line)),
    listedButNotGranted: listed.filter((line) => !found.includes(line)),
  }
  assert.deepEqual(
    differences,
    { grantedButNotListed: [], listedButNotGranted: [] },
    `${JSON.stringify(differences, null, 2)}\nlist it in grants.ts if it is meant`,
  )
})

test('SI-14: the roles are ordinary ones, own nothing, and every table of a user forces row-level security', async () => {
  const all = await platform()
  const { rows: roles } = await all.admin.query(
    `SELECT rolname FROM pg_roles WHERE rolname LIKE 'crossfade_mcp_%' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolinherit OR rolcanlogin = (rolname = 'crossfade_mcp_owner'))`,
  )
  assert.deepEqual(roles, [])
  const { rows: owned } = await all.admin.query(
    `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND pg_get_userbyid(relowner) <> 'crossfade_mcp_owner'
     UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND pg_get_userbyid(proowner) <> 'crossfade_mcp_owner'`,
  )
  assert.deepEqual(owned, [])
  // Partitions are reached by their parent alone: nobody has a right to one.
  const { rows: open } = await all.admin.query(
    `SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'user_id'
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT (c.relrowsecurity AND c.relforcerowsecurity)`,
  )
  assert.deepEqual(open, [])
  // Whoever runs as the owner looks at fixed schemas, never at the caller's.
  const { rows: loose } = await all.admin.query(
    `SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)`,
  )
  assert.deepEqual(loose, [])
})
