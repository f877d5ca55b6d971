-- Up Migration
-- Usage per hour, user, service and tool, with response times as histograms that can be added up: long ranges are read
-- from here, and what is not rolled up yet from service_usage_analytics. Both together are exact at any moment.

-- The last batch of everybody who sends batches, so that one whose answer was lost can be sent again and counts once.
CREATE TABLE batch_reporters (
  reporter uuid PRIMARY KEY,
  sequence bigint NOT NULL,
  reported_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

-- Whether a batch is new. In the transaction that counts it: both are kept, or neither.
CREATE FUNCTION is_new_batch(p_reporter uuid, p_sequence bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.batch_reporters AS r (reporter, sequence) VALUES (p_reporter, p_sequence)
  ON CONFLICT (reporter) DO UPDATE SET sequence = excluded.sequence, reported_at = now()
    WHERE r.sequence < excluded.sequence;
  RETURN FOUND;
END
$$;

-- Writes a batch of usage as record_usage does, once. Gives the number of rows written now.
CREATE FUNCTION record_usage_once(p_reporter uuid, p_sequence bigint, p_records jsonb) RETURNS integer
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT public.is_new_batch(p_reporter, p_sequence) THEN
    RETURN 0;
  END IF;
  RETURN public.record_usage(p_records);
END
$$;

-- Bucket i holds the times in (1.05^(i-1), 1.05^i] ms; bucket -1 holds 0. A time given for a bucket is at most
-- 0.05 / 2.05 = 2.44 % off (DDSketch, Masson et al. 2019). Everything above an hour is in the last bucket.
CREATE FUNCTION usage_bucket(p_ms integer) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_ms IS NULL OR p_ms <= 0 THEN -1
    ELSE ceil(round((ln(least(p_ms, 3600000)::float8) / ln(1.05::float8))::numeric, 9)) END::smallint
$$;
CREATE FUNCTION usage_bucket_ms(p_bucket integer) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_bucket < 0 THEN 0 ELSE 2 * power(1.05::float8, p_bucket) / 2.05 END
$$;

CREATE TABLE usage_hourly (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  hour timestamptz NOT NULL,
  service_type varchar(50) NOT NULL,
  endpoint varchar(255) NOT NULL,
  -- Element by element: a bucket, the calls in it, those that failed, and the sum of their times.
  buckets smallint[] NOT NULL,
  calls integer[] NOT NULL,
  errors integer[] NOT NULL,
  total_ms bigint[] NOT NULL,
  PRIMARY KEY (user_id, hour, service_type, endpoint)
);
CREATE INDEX usage_hourly_by_hour ON usage_hourly (hour);

-- Hours whose roll-up is missing or older than their rows. A claimed one is about to be rolled up; a second mark of the
-- same hour says that more came since.
CREATE TABLE usage_hours_to_roll (
  hour timestamptz NOT NULL,
  is_claimed boolean NOT NULL,
  PRIMARY KEY (hour, is_claimed)
);

-- Writers hold the lock (1402, 17) together until they commit; who claims holds it alone, so that nobody is still about
-- to commit rows under a mark that is claimed.
CREATE FUNCTION mark_usage_hours() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1402, 17);
  INSERT INTO public.usage_hours_to_roll (hour, is_claimed)
  SELECT DISTINCT date_trunc('hour', "timestamp", 'UTC'), false FROM new_usage ORDER BY 1
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
CREATE TRIGGER service_usage_analytics_mark_hours AFTER INSERT ON service_usage_analytics
  REFERENCING NEW TABLE AS new_usage FOR EACH STATEMENT EXECUTE FUNCTION mark_usage_hours();

-- Claims the marked hours that ended before p_before. Must commit before roll_up_usage looks.
CREATE FUNCTION claim_usage_hours(p_before timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  claimed integer;
BEGIN
  PERFORM pg_advisory_xact_lock(1402, 17);
  WITH over AS (
    DELETE FROM public.usage_hours_to_roll
    WHERE NOT is_claimed AND hour + interval '1 hour' <= p_before RETURNING hour
  )
  INSERT INTO public.usage_hours_to_roll (hour, is_claimed) SELECT hour, true FROM over ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS claimed = ROW_COUNT;
  RETURN claimed;
END
$$;

-- Rolls up the oldest claimed hours anew, at most p_hours_max of them; returns how many. Idempotent. An hour whose rows
-- retention has dropped keeps its roll-up.
CREATE FUNCTION roll_up_usage(p_hours_max integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  this timestamptz;
  rolled integer := 0;
BEGIN
  FOR this IN
    SELECT hour FROM public.usage_hours_to_roll WHERE is_claimed ORDER BY hour LIMIT p_hours_max FOR UPDATE SKIP LOCKED
  LOOP
    WITH counted AS (
      SELECT user_id, service_type, coalesce(endpoint, '') AS endpoint, public.usage_bucket(response_time_ms) AS bucket,
        count(*) AS calls, count(*) FILTER (WHERE error_message IS NOT NULL OR status_code >= 400) AS errors,
        coalesce(sum(response_time_ms), 0) AS total_ms
      FROM public.service_usage_analytics
      WHERE "timestamp" >= this AND "timestamp" < this + interval '1 hour'
      GROUP BY 1, 2, 3, 4
    )
    INSERT INTO public.usage_hourly AS u (user_id, hour, service_type, endpoint, buckets, calls, errors, total_ms)
    SELECT user_id, this, service_type, endpoint, array_agg(bucket ORDER BY bucket),
      array_agg(calls::integer ORDER BY bucket), array_agg(errors::integer ORDER BY bucket),
      array_agg(total_ms::bigint ORDER BY bucket)
    FROM counted
    GROUP BY user_id, service_type, endpoint
    ON CONFLICT (user_id, hour, service_type, endpoint) DO UPDATE
      SET buckets = excluded.buckets, calls = excluded.calls, errors = excluded.errors, total_ms = excluded.total_ms;
    DELETE FROM public.usage_hours_to_roll WHERE hour = this AND is_claimed;
    rolled := rolled + 1;
  END LOOP;
  RETURN rolled;
END
$$;

-- Rows that are there already, of a platform that was upgraded.
INSERT INTO usage_hours_to_roll (hour, is_claimed)
SELECT DISTINCT date_trunc('hour', "timestamp", 'UTC'), false FROM service_usage_analytics;

REVOKE ALL ON FUNCTION is_new_batch(uuid, bigint), record_usage_once(uuid, bigint, jsonb), mark_usage_hours(),
  claim_usage_hours(timestamptz), roll_up_usage(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION record_usage_once(uuid, bigint, jsonb) TO crossfade_mcp_runtime;
GRANT EXECUTE ON FUNCTION claim_usage_hours(timestamptz), roll_up_usage(integer) TO crossfade_mcp_keeper;
GRANT SELECT, DELETE ON usage_hourly TO crossfade_mcp_keeper;
GRANT SELECT ON usage_hours_to_roll TO crossfade_mcp_keeper, crossfade_mcp_api;
GRANT SELECT ON usage_hourly TO crossfade_mcp_api;
GRANT EXECUTE ON FUNCTION usage_bucket(integer), usage_bucket_ms(integer) TO crossfade_mcp_api, crossfade_mcp_keeper;
-- The keeper forgets reporters that are gone.
GRANT SELECT, DELETE ON batch_reporters TO crossfade_mcp_keeper;
ALTER TABLE batch_reporters ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON batch_reporters TO crossfade_mcp_owner USING (true) WITH CHECK (true);
CREATE POLICY keeper_all ON batch_reporters TO crossfade_mcp_keeper USING (true);
ALTER TABLE usage_hourly ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON usage_hourly TO crossfade_mcp_owner USING (true) WITH CHECK (true);
CREATE POLICY own_rows ON usage_hourly FOR SELECT TO crossfade_mcp_api
  USING (user_id = (SELECT current_user_id()));
CREATE POLICY keeper_all ON usage_hourly TO crossfade_mcp_keeper USING (true);

-- Down Migration
DROP TRIGGER service_usage_analytics_mark_hours ON service_usage_analytics;
DROP FUNCTION roll_up_usage(integer), claim_usage_hours(timestamptz), mark_usage_hours();
DROP TABLE usage_hours_to_roll, usage_hourly;
DROP FUNCTION usage_bucket_ms(integer), usage_bucket(integer), record_usage_once(uuid, bigint, jsonb),
  is_new_batch(uuid, bigint);
DROP TABLE batch_reporters;
