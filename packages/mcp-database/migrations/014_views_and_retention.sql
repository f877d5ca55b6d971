-- Up Migration
-- Views for people, and what keeps usage and caches from growing without end.

-- A user's services with their URLs. With security_invoker the rows are those that the asking role may see; servers
-- before 15 lack it, and there the view itself is held to the user of the transaction.
DO $$
DECLARE
  modern boolean := current_setting('server_version_num')::integer >= 150000;
BEGIN
  EXECUTE format($view$
    CREATE VIEW user_services_summary %s AS
    SELECT usi.user_id, usi.service_type, sr.display_name, sr.category, usi.instance_id, usi.is_active, usi.created_at,
      usi.last_used_at, usi.usage_count, shs.is_healthy AS service_healthy,
      concat(
        rtrim(coalesce(nullif(current_setting('crossfade.base_url', true), ''),
          (SELECT value FROM platform_settings WHERE key = 'base_url'), ''), '/'),
        '/', usi.instance_id, '/', usi.service_type, '/') AS instance_url
    FROM user_service_instances usi
    JOIN service_registry sr ON usi.service_type = sr.service_type
    LEFT JOIN service_health_status shs ON sr.service_type = shs.service_type
    %s
  $view$,
    CASE WHEN modern THEN 'WITH (security_invoker = true)' ELSE 'WITH (security_barrier = true)' END,
    CASE WHEN modern THEN '' ELSE 'WHERE usi.user_id = (SELECT current_user_id())' END);
END
$$;

-- Counts over all users, and nothing else of them: it is the owner that reads the instances.
CREATE VIEW service_health_dashboard AS
SELECT sr.service_type, sr.display_name, sr.category, sr.port, shs.is_healthy, shs.last_health_check,
  shs.response_time_ms, shs.consecutive_failures, shs.uptime_percentage, count(usi.instance_id) AS active_users
FROM service_registry sr
LEFT JOIN service_health_status shs ON sr.service_type = shs.service_type
LEFT JOIN user_service_instances usi ON sr.service_type = usi.service_type AND usi.is_active = true
GROUP BY sr.service_type, sr.display_name, sr.category, sr.port, shs.is_healthy, shs.last_health_check,
  shs.response_time_ms, shs.consecutive_failures, shs.uptime_percentage
ORDER BY sr.category, sr.display_name;

-- Each clean-up that was done. The first design logged clean-ups as a row of service_usage_analytics, for a user and a
-- service that don't exist: its own foreign keys refuse that, and the whole clean-up with it.
CREATE TABLE retention_runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  task text NOT NULL,
  rows_affected bigint NOT NULL DEFAULT 0,
  partitions text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX retention_runs_at_idx ON retention_runs (at);

-- Makes the partition of this month and of `p_months_ahead` more, and of months that already have rows in the default
-- partition, whose rows move. Idempotent. Gives the names of those it made.
CREATE FUNCTION ensure_usage_partitions(p_months_ahead integer DEFAULT 3)
  RETURNS text[] LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  month timestamptz;
  name text;
  made text[] := '{}';
  moved bigint := 0;
  moved_now bigint;
BEGIN
  IF p_months_ahead NOT BETWEEN 0 AND 120 THEN
    RAISE EXCEPTION 'months ahead must be 0 to 120' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('crossfade_mcp.usage_partitions', 0));
  FOR month IN
    SELECT date_trunc('month', now()) + make_interval(months => ahead) FROM generate_series(0, p_months_ahead) ahead
    UNION
    SELECT DISTINCT date_trunc('month', d."timestamp") FROM public.service_usage_analytics_default d
    ORDER BY 1
  LOOP
    name := 'service_usage_analytics_' || to_char(month, '"y"YYYY"m"MM');
    CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.service_usage_analytics INCLUDING DEFAULTS INCLUDING GENERATED)', name);
    -- Nobody adds to the default partition while its rows move.
    LOCK TABLE public.service_usage_analytics_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
      'WITH gone AS (DELETE FROM public.service_usage_analytics_default WHERE "timestamp" >= %L AND "timestamp" < %L RETURNING *) '
      'INSERT INTO public.%I (id, user_id, service_type, instance_id, endpoint, method, status_code, response_time_ms, '
      'error_message, "timestamp") SELECT id, user_id, service_type, instance_id, endpoint, method, status_code, '
      'response_time_ms, error_message, "timestamp" FROM gone',
      month, month + interval '1 month', name);
    GET DIAGNOSTICS moved_now = ROW_COUNT;
    EXECUTE format('ALTER TABLE public.service_usage_analytics ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
      name, month, month + interval '1 month');
    made := made || name;
    moved := moved + moved_now;
  END LOOP;
  IF cardinality(made) > 0 THEN
    INSERT INTO public.retention_runs (task, rows_affected, partitions) VALUES ('ensure_usage_partitions', moved, made);
  END IF;
  RETURN made;
END
$$;

-- Drops partitions whose last moment is older than `p_keep_months` months, and such rows of the default partition.
-- Gives the names of those dropped. Not reversible.
CREATE FUNCTION drop_old_usage(p_keep_months integer DEFAULT 6)
  RETURNS text[] LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  oldest timestamptz := now() - make_interval(months => p_keep_months);
  name text;
  dropped text[] := '{}';
  rows_dropped bigint := 0;
  rows_now bigint;
BEGIN
  IF p_keep_months NOT BETWEEN 1 AND 1200 THEN
    RAISE EXCEPTION 'months to keep must be 1 to 1200' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('crossfade_mcp.usage_partitions', 0));
  FOR name IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'public.service_usage_analytics'::regclass
      AND c.relname ~ '^service_usage_analytics_y\d{4}m\d{2}$'
      AND to_timestamp(right(c.relname, 7), 'YYYY"m"MM') + interval '1 month' <= oldest
    ORDER BY 1
  LOOP
    EXECUTE format('SELECT count(*) FROM public.%I', name) INTO rows_now;
    EXECUTE format('DROP TABLE public.%I', name);
    dropped := dropped || name;
    rows_dropped := rows_dropped + rows_now;
  END LOOP;
  DELETE FROM public.service_usage_analytics_default WHERE "timestamp" < oldest;
  GET DIAGNOSTICS rows_now = ROW_COUNT;
  INSERT INTO public.retention_runs (task, rows_affected, partitions)
  VALUES ('drop_old_usage', rows_dropped + rows_now, dropped);
  RETURN dropped;
END
$$;

-- Forgets results of key validations that have expired. Gives their number.
CREATE FUNCTION cleanup_validation_cache()
  RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  removed bigint;
BEGIN
  DELETE FROM public.api_key_validation_cache WHERE expires_at < now();
  GET DIAGNOSTICS removed = ROW_COUNT;
  INSERT INTO public.retention_runs (task, rows_affected) VALUES ('cleanup_validation_cache', removed);
  RETURN removed;
END
$$;

REVOKE ALL ON FUNCTION ensure_usage_partitions(integer), drop_old_usage(integer), cleanup_validation_cache() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_usage_partitions(integer), drop_old_usage(integer), cleanup_validation_cache()
  TO crossfade_mcp_keeper;
GRANT SELECT ON retention_runs TO crossfade_mcp_keeper;
GRANT SELECT ON user_services_summary TO crossfade_mcp_api;
GRANT SELECT ON service_health_dashboard TO crossfade_mcp_api, crossfade_mcp_keeper;

SELECT ensure_usage_partitions(3);

-- Down Migration
DROP FUNCTION cleanup_validation_cache(), drop_old_usage(integer), ensure_usage_partitions(integer);
DROP TABLE retention_runs;
DROP VIEW service_health_dashboard, user_services_summary;
