import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitDump } from './dump-statements.ts'

const dump = `--
-- PostgreSQL database dump
--

\\restrict abc123

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: f(integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.f(n integer) RETURNS numeric
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT CASE WHEN (a > 0) THEN 1 ELSE 0 END AS "case" FROM public.t;
 SELECT 2;
END;


--
-- Name: g(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.g() RETURNS text
    LANGUAGE plpgsql
    AS $_$ BEGIN; RETURN ';'; -- Name: no; Type: NO; Schema: no; Owner: no
END $_$;


--
-- Name: a;b; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public."a;b" ("x;" text DEFAULT 'it''s; E''');

--
-- Name: t r; Type: RULE; Schema: public; Owner: -
--

CREATE RULE r AS ON INSERT TO public.t DO ( INSERT INTO public.l VALUES (1);
 INSERT INTO public.l VALUES (2);
);

\\unrestrict abc123
`

test('a dump is cut where its statements end, and nowhere else', () => {
  const statements = splitDump(dump)
  assert.deepEqual(
    statements.map((each) => [each.type, each.name, each.sql.split(/\s/)[1]]),
    [
      ['', '', 'statement_timeout'],
      ['', '', "pg_catalog.set_config('search_path',"],
      ['FUNCTION', 'f(integer)', 'FUNCTION'],
      ['FUNCTION', 'g()', 'FUNCTION'],
      ['TABLE', 'a;b', 'TABLE'],
      ['RULE', 't r', 'RULE'],
    ],
  )
  assert.match(statements[2]!.sql, /SELECT 2;\nEND$/)
  assert.match(statements[5]!.sql, /VALUES \(2\);\n\)$/)
})
