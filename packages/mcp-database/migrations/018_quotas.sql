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

-- The last batch of each worker, so that one whose answer was lost can be sent again and counts once.
CREATE TABLE quota_reporters (
  reporter uuid PRIMARY KEY,
  sequence bigint NOT NULL,
  reported_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

ALTER TABLE quota_counters ENABLE ROW LEVEL SECURITY;
ALTER TABLE quota_reporters ENABLE ROW LEVEL SECURITY;

-- Adds a worker's uses, once per sequence, and tells the totals in their order. Keys are locked in one order, so that workers never wait for each other in a circle.
CREATE FUNCTION add_quota_use(p_reporter uuid, p_sequence bigint, p_uses jsonb)
RETURNS TABLE (position bigint, total bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO public.quota_reporters AS r (reporter, sequence) VALUES (p_reporter, p_sequence)
  ON CONFLICT (reporter) DO UPDATE SET sequence = excluded.sequence, reported_at = now() WHERE r.sequence < excluded.sequence;
  IF FOUND THEN
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
-- The keeper drops the counts of periods that are over.
GRANT SELECT, DELETE ON quota_counters, quota_reporters TO crossfade_mcp_keeper;
CREATE POLICY quota_counters_keeper ON quota_counters TO crossfade_mcp_keeper USING (true);
CREATE POLICY quota_reporters_keeper ON quota_reporters TO crossfade_mcp_keeper USING (true);

-- Down Migration

DROP FUNCTION add_quota_use(uuid, bigint, jsonb);
DROP TABLE quota_reporters;
DROP TABLE quota_counters;
