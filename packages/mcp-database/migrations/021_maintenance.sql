-- Up Migration
-- What keeps tables from growing without end, beside 014: each run is logged in retention_runs. Times are given, so that
-- whoever calls decides what time it is.

-- When each job last ran, in the time of whoever runs them: a keeper that was away catches up.
CREATE TABLE maintenance_jobs (
  job text PRIMARY KEY,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  trouble text
);

-- Consents that nobody came back from, sessions, codes and tokens that ended a day ago. A refresh token stays longer:
-- one that is shown again after its use must still be known as used.
CREATE FUNCTION drop_expired_authorizations(p_now timestamptz) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  removed bigint := 0;
  removed_now bigint;
  target record;
BEGIN
  FOR target IN SELECT * FROM (VALUES
    ('upstream_authorizations', interval '0'), ('verifications', interval '1 hour'), ('sessions', interval '1 day'),
    ('oauth_access_tokens', interval '1 day'), ('oauth_client_assertions', interval '1 day'),
    ('oauth_refresh_tokens', interval '30 days')) AS t(name, after)
  LOOP
    EXECUTE format('DELETE FROM public.%I WHERE expires_at < $1', target.name) USING p_now - target.after;
    GET DIAGNOSTICS removed_now = ROW_COUNT;
    removed := removed + removed_now;
  END LOOP;
  INSERT INTO public.retention_runs (task, rows_affected) VALUES ('drop_expired_authorizations', removed);
  RETURN removed;
END
$$;

-- Counts of quotas whose time is over, reporters and signals of workers that are gone.
CREATE FUNCTION drop_old_counts(p_now timestamptz) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  removed bigint := 0;
  removed_now bigint;
BEGIN
  DELETE FROM public.quota_counters WHERE (period = 'minute' AND period_start < p_now - interval '1 hour')
    OR (period = 'day' AND period_start < p_now - interval '40 days')
    OR (period = 'month' AND period_start < p_now - interval '400 days');
  GET DIAGNOSTICS removed_now = ROW_COUNT;
  removed := removed + removed_now;
  DELETE FROM public.batch_reporters WHERE reported_at < p_now - interval '7 days';
  GET DIAGNOSTICS removed_now = ROW_COUNT;
  removed := removed + removed_now;
  DELETE FROM public.mcp_worker_signals WHERE at < p_now - interval '1 day';
  GET DIAGNOSTICS removed_now = ROW_COUNT;
  removed := removed + removed_now;
  INSERT INTO public.retention_runs (task, rows_affected) VALUES ('drop_old_counts', removed);
  RETURN removed;
END
$$;

-- Roll-ups and plots live longer than the rows that they were made of, but not for ever.
CREATE FUNCTION drop_old_rollups(p_now timestamptz, p_keep_months integer) RETURNS bigint LANGUAGE plpgsql VOLATILE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  oldest timestamptz := p_now - make_interval(months => p_keep_months);
  removed bigint := 0;
  removed_now bigint;
BEGIN
  IF p_keep_months NOT BETWEEN 1 AND 1200 THEN
    RAISE EXCEPTION 'months to keep must be 1 to 1200' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  DELETE FROM public.usage_hourly WHERE hour < oldest;
  GET DIAGNOSTICS removed_now = ROW_COUNT;
  removed := removed + removed_now;
  DELETE FROM public.service_health_hourly WHERE hour < oldest;
  GET DIAGNOSTICS removed_now = ROW_COUNT;
  removed := removed + removed_now;
  DELETE FROM public.mcp_alerts WHERE closed_at < oldest;
  GET DIAGNOSTICS removed_now = ROW_COUNT;
  removed := removed + removed_now;
  INSERT INTO public.retention_runs (task, rows_affected) VALUES ('drop_old_rollups', removed);
  RETURN removed;
END
$$;

-- What a worker counts, in place of what it told before: [{ signal, subject, value }].
CREATE FUNCTION report_worker_signals(p_worker text, p_signals jsonb) RETURNS void LANGUAGE sql VOLATILE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.mcp_worker_signals AS s (worker, signal, subject, value, at)
  SELECT left(p_worker, 100), left(g.signal, 50), left(g.subject, 200), g.value, now()
  FROM jsonb_to_recordset(p_signals) AS g(signal text, subject text, value double precision)
  ON CONFLICT (worker, signal, subject) DO UPDATE SET value = excluded.value, at = excluded.at
$$;

-- When the failures in a row began.
ALTER TABLE service_health_status ADD COLUMN failing_since timestamptz;

ALTER TABLE maintenance_jobs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON maintenance_jobs TO crossfade_mcp_owner USING (true) WITH CHECK (true);
CREATE POLICY keeper_all ON maintenance_jobs TO crossfade_mcp_keeper USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON maintenance_jobs TO crossfade_mcp_keeper;
REVOKE ALL ON FUNCTION drop_expired_authorizations(timestamptz), drop_old_counts(timestamptz),
  drop_old_rollups(timestamptz, integer), report_worker_signals(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION report_worker_signals(text, jsonb) TO crossfade_mcp_runtime;
GRANT EXECUTE ON FUNCTION drop_expired_authorizations(timestamptz), drop_old_counts(timestamptz),
  drop_old_rollups(timestamptz, integer) TO crossfade_mcp_keeper;

-- Down Migration
ALTER TABLE service_health_status DROP COLUMN failing_since;
DROP FUNCTION report_worker_signals(text, jsonb);
DROP FUNCTION drop_old_rollups(timestamptz, integer), drop_old_counts(timestamptz), drop_expired_authorizations(timestamptz);
DROP TABLE maintenance_jobs;
