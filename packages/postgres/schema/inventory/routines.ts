import type { Routine } from '../inventory-types.ts'
import type { CatalogReader } from './catalog-reader.ts'
import { address, notOfExtension, userSchema } from './scope.ts'

/** Functions, procedures, window functions and aggregates. */
export async function readRoutines(reader: CatalogReader): Promise<Routine[]> {
  return reader.rows<Routine>(`
    SELECT ${address('pg_proc', 'p.oid')} AS address, n.nspname AS schema, p.proname AS name,
      CASE p.prokind WHEN 'f' THEN 'function' WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'window' END AS kind,
      pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_userbyid(p.proowner) AS owner, l.lanname AS language,
      CASE p.prokind WHEN 'a' THEN ${aggregateSql} ELSE pg_get_functiondef(p.oid) END AS definition,
      CASE WHEN p.prosqlbody IS NULL AND p.prokind <> 'a' THEN p.prosrc END AS source,
      p.prosecdef AS "securityDefiner",
      CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_language l ON l.oid = p.prolang
    LEFT JOIN pg_aggregate g ON g.aggfnoid = p.oid
    WHERE ${userSchema('n')} AND ${notOfExtension('pg_proc', 'p.oid')}
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    ORDER BY n.nspname, p.proname, 5`)
}

/** CREATE AGGREGATE, as the server would print it if it had a function for that. */
const aggregateSql = `'CREATE AGGREGATE ' || quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '('
        || CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_get_function_arguments(p.oid) END || ') ('
        || concat_ws(', ', 'SFUNC = ' || g.aggtransfn::regproc, 'STYPE = ' || format_type(g.aggtranstype, NULL),
          'SSPACE = ' || nullif(g.aggtransspace, 0), 'FINALFUNC = ' || nullif(g.aggfinalfn::oid, 0)::regproc,
          CASE WHEN g.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
          CASE WHEN g.aggfinalfn <> 0 THEN 'FINALFUNC_MODIFY = '
            || CASE g.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
          'COMBINEFUNC = ' || nullif(g.aggcombinefn::oid, 0)::regproc, 'SERIALFUNC = ' || nullif(g.aggserialfn::oid, 0)::regproc,
          'DESERIALFUNC = ' || nullif(g.aggdeserialfn::oid, 0)::regproc, 'INITCOND = ' || quote_literal(g.agginitval),
          'MSFUNC = ' || nullif(g.aggmtransfn::oid, 0)::regproc, 'MINVFUNC = ' || nullif(g.aggminvtransfn::oid, 0)::regproc,
          'MSTYPE = ' || CASE WHEN g.aggmtranstype <> 0 THEN format_type(g.aggmtranstype, NULL) END,
          'MSSPACE = ' || nullif(g.aggmtransspace, 0), 'MFINALFUNC = ' || nullif(g.aggmfinalfn::oid, 0)::regproc,
          CASE WHEN g.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END, 'MINITCOND = ' || quote_literal(g.aggminitval),
          'SORTOP = ' || (SELECT 'OPERATOR(' || quote_ident(sn.nspname) || '.' || so.oprname || ')'
            FROM pg_operator so JOIN pg_namespace sn ON sn.oid = so.oprnamespace WHERE so.oid = g.aggsortop),
          'PARALLEL = ' || CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END,
          CASE WHEN g.aggkind = 'h' THEN 'HYPOTHETICAL' END) || ')'`
