-- Up Migration

-- Calls per key and period over all workers. A key is a user, an instance or a service; it may outlive what it names, so it references nothing.
CREATE TABLE quota_counters (
  scope text NOT NULL CHECK (scope IN ('user', 'instance', 'service')),
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
  period text NOT NULL CHECK (period IN ('minute', 'day', 'month')),
  period_start timestamptz NOT NULL,
  calls bigint NOT NULL,
  PRIMARY KEY (scope, key, period, period_start)
) WITH (fillfactor = 70);
CREATE INDEX quota_counters_by_start ON quota_counters (period, period_start);

ALTER TABLE quota_counters ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON quota_counters TO crossfade_mcp_owner USING (true) WITH CHECK (true);

-- Adds a worker's uses, once per sequence, and tells the totals in their order. Keys are locked in one order, so that workers never wait for each other in a circle.
CREATE FUNCTION add_quota_use(p_reporter uuid, p_sequence bigint, p_uses jsonb)
RETURNS TABLE ("position" bigint, total bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF public.is_new_batch(p_reporter, p_sequence) THEN
    INSERT INTO public.quota_counters AS c (scope, key, period, period_start, calls)
    SELECT u.scope, u.key, u.period, u.period_start, sum(u.calls)::bigint
    FROM jsonb_to_recordset(p_uses) AS u(scope text, key text, period text, period_start timestamptz, calls bigint)
    WHERE u.calls > 0
    GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (scope, key, period, period_start) DO UPDATE SET calls = c.calls + excluded.calls;
  END IF;
  RETURN QUERY
    SELECT u.ordinality, coalesce(c.calls, 0)
    FROM jsonb_array_elements(p_uses) WITH ORDINALITY AS u(use, ordinality)
    LEFT JOIN public.quota_counters c
      ON c.scope = u.use->>'scope' AND c.key = u.use->>'key' AND c.period = u.use->>'period'
      AND c.period_start = (u.use->>'period_start')::timestamptz;
END $$;
REVOKE ALL ON FUNCTION add_quota_use(uuid, bigint, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_quota_use(uuid, bigint, jsonb) TO crossfade_mcp_runtime;
-- A user sees what of the quotas is used up: the user's own counts and those of the user's instances.
GRANT SELECT ON quota_counters TO crossfade_mcp_api;
CREATE POLICY own_rows ON quota_counters FOR SELECT TO crossfade_mcp_api USING (
  (scope = 'user' AND key = (SELECT current_user_id())::text)
  OR (scope = 'instance' AND EXISTS (
    SELECT FROM user_service_instances i WHERE i.instance_id = key AND i.user_id = (SELECT current_user_id()))));
-- The keeper drops the counts of periods that are over.
GRANT SELECT, DELETE ON quota_counters TO crossfade_mcp_keeper;
CREATE POLICY keeper_all ON quota_counters TO crossfade_mcp_keeper USING (true);

-- Down Migration

DROP FUNCTION add_quota_use(uuid, bigint, jsonb);
DROP TABLE quota_counters;
