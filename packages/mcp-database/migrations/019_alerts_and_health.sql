-- Up Migration

-- Checks of a service per hour: what uptime is counted from, and what plots show.
CREATE TABLE service_health_hourly (
  service_type varchar(50) NOT NULL REFERENCES service_registry (service_type) ON DELETE CASCADE,
  hour timestamptz NOT NULL,
  checks integer NOT NULL,
  failures integer NOT NULL,
  total_ms bigint NOT NULL,
  PRIMARY KEY (service_type, hour)
) WITH (fillfactor = 80);
CREATE INDEX service_health_hourly_by_hour ON service_health_hourly (hour);

-- What people were told, and what they are to be told. An alert is open while its cause holds: one per rule and subject.
CREATE TABLE mcp_alerts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  rule text NOT NULL,
  subject text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  text text NOT NULL,
  opened_at timestamptz NOT NULL,
  closed_at timestamptz,
  -- Of the message that it opened, and of the one that it closed: when it was delivered, or given up.
  open_sent_at timestamptz,
  close_sent_at timestamptz,
  open_tries integer NOT NULL DEFAULT 0,
  close_tries integer NOT NULL DEFAULT 0,
  last_trouble text
);
CREATE UNIQUE INDEX mcp_alerts_open ON mcp_alerts (rule, subject) WHERE closed_at IS NULL;
CREATE INDEX mcp_alerts_by_time ON mcp_alerts (opened_at);

-- What each worker counts and nobody else can see: dropped usage, open breakers. Workers write theirs every few seconds.
CREATE TABLE mcp_worker_signals (
  worker text NOT NULL,
  signal text NOT NULL,
  subject text NOT NULL,
  value double precision NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (worker, signal, subject)
) WITH (fillfactor = 70);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['mcp_alerts', 'mcp_worker_signals'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY owner_all ON %I TO crossfade_mcp_owner USING (true) WITH CHECK (true)', name);
    EXECUTE format('CREATE POLICY keeper_all ON %I TO crossfade_mcp_keeper USING (true) WITH CHECK (true)', name);
  END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON service_health_hourly, mcp_alerts, mcp_worker_signals TO crossfade_mcp_keeper;
GRANT SELECT ON service_health_hourly TO crossfade_mcp_api;

-- Down Migration
DROP TABLE mcp_worker_signals, mcp_alerts, service_health_hourly;
