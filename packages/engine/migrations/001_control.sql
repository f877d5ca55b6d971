-- Up Migration

CREATE SCHEMA IF NOT EXISTS crossfade_control;

CREATE TABLE crossfade_control.migration (
  id text PRIMARY KEY,
  name text NOT NULL,
  plan jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  paused boolean NOT NULL DEFAULT false
);
-- One migration of a name at a time.
CREATE UNIQUE INDEX migration_under_way ON crossfade_control.migration (name) WHERE ended_at IS NULL;

CREATE TABLE crossfade_control.journal (
  position bigint PRIMARY KEY,
  migration text NOT NULL REFERENCES crossfade_control.migration,
  version integer NOT NULL,
  at timestamptz NOT NULL,
  kind text NOT NULL,
  actor text NOT NULL,
  summary text NOT NULL,
  body jsonb NOT NULL,
  UNIQUE (migration, version)
);

CREATE FUNCTION crossfade_control.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the journal is append-only';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crossfade_control.journal
  FOR EACH ROW EXECUTE FUNCTION crossfade_control.refuse_change();

CREATE TABLE crossfade_control.idempotency (
  migration text NOT NULL,
  key text NOT NULL,
  first_position bigint NOT NULL,
  last_position bigint NOT NULL,
  PRIMARY KEY (migration, key)
);

CREATE TABLE crossfade_control.routing (
  migration text PRIMARY KEY REFERENCES crossfade_control.migration,
  epoch bigint NOT NULL,
  body jsonb NOT NULL
);

-- Epochs of leases: higher with every claim of any task, so that a task made anew never gets an old one.
CREATE SEQUENCE crossfade_control.epoch;

CREATE TABLE crossfade_control.task (
  migration text NOT NULL REFERENCES crossfade_control.migration,
  name text NOT NULL,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  kind text NOT NULL,
  payload jsonb NOT NULL,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
  worker text,
  epoch bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  progress jsonb NOT NULL DEFAULT '{}',
  result jsonb,
  failure jsonb,
  started_at timestamptz,
  finished_at timestamptz,
  not_before timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (migration, name)
);
CREATE INDEX task_waiting ON crossfade_control.task (kind, ordinal) WHERE state = 'waiting';
CREATE INDEX task_running ON crossfade_control.task (kind, ordinal) WHERE state = 'running';

CREATE TABLE crossfade_control.board (
  migration text NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  body jsonb NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (migration, kind, name)
);

CREATE TABLE crossfade_control.report (
  migration text NOT NULL REFERENCES crossfade_control.migration,
  id text NOT NULL,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  body jsonb NOT NULL,
  PRIMARY KEY (migration, id)
);

CREATE TABLE crossfade_control.mismatch (
  migration text NOT NULL REFERENCES crossfade_control.migration,
  ordinal integer NOT NULL,
  body jsonb NOT NULL,
  PRIMARY KEY (migration, ordinal)
);

CREATE TABLE crossfade_control.sample (
  migration text NOT NULL,
  name text NOT NULL,
  at timestamptz NOT NULL,
  value double precision NOT NULL
);
CREATE INDEX sample_series ON crossfade_control.sample (migration, name, at);
CREATE INDEX sample_age ON crossfade_control.sample USING brin (at);

CREATE TABLE crossfade_control.worker (
  id text PRIMARY KEY,
  started_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  memory_bytes bigint NOT NULL
);

-- One round trip per append: a cutover pauses writers for as long as these take.
-- Appends are serialized, so that positions become visible in their order and a follower never skips one.
CREATE FUNCTION crossfade_control.append(
  in_migration text,
  in_entries jsonb,
  in_expected_version integer,
  in_lease_task text,
  in_lease_epoch bigint,
  in_key text,
  in_routing jsonb,
  in_paused boolean,
  in_ends boolean
) RETURNS SETOF crossfade_control.journal LANGUAGE plpgsql AS $$
DECLARE
  before integer;
  base bigint;
  known crossfade_control.idempotency;
BEGIN
  PERFORM pg_advisory_xact_lock(7163371193127463266);
  IF in_key IS NOT NULL THEN
    SELECT * INTO known FROM crossfade_control.idempotency i WHERE i.migration = in_migration AND i.key = in_key;
    IF FOUND THEN
      RETURN QUERY SELECT * FROM crossfade_control.journal j
        WHERE j.migration = in_migration AND j.position BETWEEN known.first_position AND known.last_position ORDER BY j.position;
      RETURN;
    END IF;
  END IF;
  IF in_lease_task IS NOT NULL THEN
    -- Locked until the commit: nobody takes the lease over between this look and the append.
    PERFORM 1 FROM crossfade_control.task t
      WHERE t.migration = in_migration AND t.name = in_lease_task AND t.epoch = in_lease_epoch AND t.worker IS NOT NULL FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'stale lease' USING ERRCODE = 'CF606';
    END IF;
  END IF;
  SELECT coalesce(max(j.version), 0) INTO before FROM crossfade_control.journal j WHERE j.migration = in_migration;
  IF in_expected_version IS NOT NULL AND in_expected_version <> before THEN
    RAISE EXCEPTION 'version %', before USING ERRCODE = 'CF605';
  END IF;
  SELECT coalesce(max(j.position), 0) INTO base FROM crossfade_control.journal j;
  IF in_key IS NOT NULL THEN
    INSERT INTO crossfade_control.idempotency VALUES (in_migration, in_key, base + 1, base + jsonb_array_length(in_entries));
  END IF;
  IF in_routing IS NOT NULL THEN
    INSERT INTO crossfade_control.routing AS r VALUES (in_migration, (in_routing->>'epoch')::bigint, in_routing)
      ON CONFLICT (migration) DO UPDATE SET epoch = excluded.epoch, body = excluded.body WHERE r.epoch < excluded.epoch;
  END IF;
  IF in_paused IS NOT NULL THEN
    UPDATE crossfade_control.migration m SET paused = in_paused WHERE m.id = in_migration AND m.paused <> in_paused;
  END IF;
  IF in_ends THEN
    UPDATE crossfade_control.migration m SET ended_at = clock_timestamp() WHERE m.id = in_migration AND m.ended_at IS NULL;
    DELETE FROM crossfade_control.task t WHERE t.migration = in_migration AND t.kind = 'reconcile';
  END IF;
  PERFORM pg_notify('crossfade_work', in_migration);
  RETURN QUERY INSERT INTO crossfade_control.journal
    SELECT base + e.ordinal, in_migration, before + e.ordinal::integer, clock_timestamp(), e.entry->>'kind', e.entry->>'actor', e.entry->>'summary', e.entry->'body'
    FROM jsonb_array_elements(in_entries) WITH ORDINALITY AS e(entry, ordinal) ORDER BY e.ordinal
    RETURNING *;
END $$;

CREATE FUNCTION crossfade_control.create_migration(in_id text, in_name text, in_plan jsonb, in_first jsonb, in_routing jsonb)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  other crossfade_control.migration;
BEGIN
  INSERT INTO crossfade_control.migration (id, name, plan) VALUES (in_id, in_name, in_plan) ON CONFLICT (name) WHERE ended_at IS NULL DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO other FROM crossfade_control.migration m WHERE m.name = in_name AND m.ended_at IS NULL;
    IF other.plan->>'digest' IS DISTINCT FROM in_plan->>'digest' THEN
      RAISE EXCEPTION '%', other.id USING ERRCODE = 'CF604';
    END IF;
    RETURN other.id;
  END IF;
  INSERT INTO crossfade_control.task (migration, name, kind, payload) VALUES (in_id, 'reconcile', 'reconcile', '{}');
  PERFORM crossfade_control.append(in_id, jsonb_build_array(in_first), 0, NULL, NULL, NULL, in_routing, NULL, false);
  RETURN in_id;
END $$;

-- Down Migration

DROP SCHEMA crossfade_control CASCADE;
