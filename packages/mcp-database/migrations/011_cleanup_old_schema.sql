-- Up Migration
-- Puts the legacy tables away as archives. They are renamed and not copied: it takes no time, every row, constraint and
-- index stays, and so do references that tables of the old platform have to them. Does nothing where there are none.
DO $$
DECLARE
  name text;
  grantee text;
BEGIN
  FOREACH name IN ARRAY ARRAY['mcp_instances', 'mcp_types'] LOOP
    IF to_regclass('public.' || name) IS NOT NULL THEN
      EXECUTE format('ALTER TABLE public.%I RENAME TO %I', name, name || '_archive');
      -- The archive holds credentials and access tokens: from here on it is the owner's alone.
      FOR grantee IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = to_regclass('public.' || name || '_archive') AND a.grantee <> c.relowner
      LOOP
        EXECUTE format('REVOKE ALL ON public.%I FROM %s', name || '_archive', grantee);
      END LOOP;
    END IF;
  END LOOP;
END
$$;

-- Down Migration
DO $$
DECLARE
  name text;
  previous text;
BEGIN
  FOREACH name IN ARRAY ARRAY['mcp_types', 'mcp_instances'] LOOP
    IF to_regclass('public.' || name || '_archive') IS NOT NULL THEN
      EXECUTE format('ALTER TABLE public.%I RENAME TO %I', name || '_archive', name);
      -- The rights of whoever owned it before the platform did (owner.ts leaves a policy that names them).
      FOR previous IN
        SELECT quote_ident(role) FROM pg_policies, unnest(roles) role
        WHERE schemaname = 'public' AND tablename = name AND policyname = 'legacy_owner'
      LOOP
        EXECUTE format('GRANT ALL ON public.%I TO %s', name, previous);
      END LOOP;
    END IF;
  END LOOP;
END
$$;
