-- Up Migration
-- Moves active rows of mcp_instances into user_service_instances. Does nothing where there are no legacy tables, and
-- nothing again when run again. Every active row has one end, and it is written down: migrated_instances, or
-- migration_conflicts with the reason.
--
-- What is decided here beyond the first design:
--   * Several active instances of one user and service: the one updated last wins (then the one made last, then the id).
--     A row without credentials is no candidate.
--   * A row without credentials (NULL, empty, blank) is not moved: an instance with an empty secret would look connected.
--   * A type that the registry doesn't know is not moved. Names are compared in lower case, without blanks at the ends.
--   * Two instances whose ids would be the same (6 digits of MD5; figma and figshare of one user share the rest of the
--     id): all but the one with the smallest legacy id get 12 digits, then all 32, which differ since the legacy ids do.
--   * Characters of a name that an id can't hold become '-'.
--   * Credentials stay as the old platform encrypted them, marked credential_kind 'legacy' and, since the vault can't
--     open them, credential_state 'needs_authorization'. A converter that holds the old platform's key may turn them
--     into sealed text later: it takes the rows of kind 'legacy', opens encrypted_api_key, seals it, and sets kind
--     and state in one UPDATE that compares the old text. Until then their users connect the service again, and the
--     instance keeps its id, its settings and its history.
-- Legacy times have no zone; they are taken in the zone of this database, in which the old platform's defaults wrote them.

CREATE TABLE migrated_instances (
  legacy_id uuid PRIMARY KEY,
  instance_id varchar(100) NOT NULL UNIQUE,
  migrated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE migration_conflicts (
  legacy_id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  legacy_type text NOT NULL,
  reason text NOT NULL CHECK (reason IN ('unknown_service', 'no_credential', 'newer_instance', 'already_connected')),
  -- The legacy row that was moved instead, where there is one.
  winner_id uuid,
  recorded_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX migration_conflicts_user_id_idx ON migration_conflicts (user_id);

DO $$
DECLARE
  digits integer;
BEGIN
  IF to_regclass('public.mcp_instances') IS NULL OR to_regclass('public.mcp_types') IS NULL THEN
    RETURN;
  END IF;
  -- The old platform may still run: what it writes from here on waits until the rows have moved.
  LOCK TABLE public.mcp_instances, public.mcp_types IN SHARE ROW EXCLUSIVE MODE;

  CREATE TEMPORARY TABLE candidate ON COMMIT DROP AS
  SELECT mi.id AS legacy_id, mi.user_id, mt.name AS legacy_type, sr.service_type, mi.encrypted_credentials, mi.config,
    mi.created_at, mi.updated_at, usi.instance_id IS NOT NULL AS connected,
    coalesce(btrim(mi.encrypted_credentials, E' \t\r\n') <> '', false) AS has_credential
  FROM public.mcp_instances mi
  JOIN public.mcp_types mt ON mt.id = mi.mcp_type_id
  LEFT JOIN public.service_registry sr ON sr.service_type = lower(btrim(mt.name))
  LEFT JOIN public.user_service_instances usi ON usi.user_id = mi.user_id AND usi.service_type = sr.service_type
  WHERE mi.is_active;

  CREATE TEMPORARY TABLE winner ON COMMIT DROP AS
  SELECT DISTINCT ON (user_id, service_type) *,
    regexp_replace(substring(service_type, 1, 3), '[^a-z0-9-]', '-', 'g') || '_user_' ||
      substring(replace(user_id::text, '-', ''), 1, 8) || '_' AS stem,
    md5(legacy_id::text) AS digest, NULL::text AS instance_id
  FROM candidate
  WHERE service_type IS NOT NULL AND has_credential AND NOT connected
  ORDER BY user_id, service_type, updated_at DESC NULLS LAST, created_at DESC NULLS LAST, legacy_id DESC;
  ANALYZE winner;

  FOREACH digits IN ARRAY ARRAY[6, 12, 32] LOOP
    WITH first AS (
      SELECT DISTINCT ON (stem || substring(digest, 1, digits)) legacy_id, stem || substring(digest, 1, digits) AS id
      FROM winner w
      WHERE instance_id IS NULL
      ORDER BY stem || substring(digest, 1, digits), legacy_id
    )
    UPDATE winner w SET instance_id = first.id
    FROM first
    WHERE first.legacy_id = w.legacy_id
      AND NOT EXISTS (SELECT FROM public.user_service_instances u WHERE u.instance_id = first.id);
  END LOOP;

  INSERT INTO public.migration_conflicts (legacy_id, user_id, legacy_type, reason, winner_id)
  SELECT c.legacy_id, c.user_id, c.legacy_type,
    CASE
      WHEN c.service_type IS NULL THEN 'unknown_service'
      WHEN NOT c.has_credential THEN 'no_credential'
      WHEN c.connected THEN 'already_connected'
      ELSE 'newer_instance'
    END,
    w.legacy_id
  FROM candidate c
  LEFT JOIN winner w ON w.user_id = c.user_id AND w.service_type = c.service_type
  WHERE w.legacy_id IS DISTINCT FROM c.legacy_id;

  INSERT INTO public.migrated_instances (legacy_id, instance_id) SELECT legacy_id, instance_id FROM winner;

  INSERT INTO public.user_service_instances (instance_id, user_id, service_type, encrypted_api_key, is_active, config,
    created_at, updated_at, last_used_at, credential_kind, credential_state)
  SELECT instance_id, user_id, service_type, encrypted_credentials, true, coalesce(config, '{}'),
    created_at, updated_at, updated_at, 'legacy', 'needs_authorization'
  FROM winner;
END
$$;

-- Down Migration
-- Takes away what came from here and is still as it came. Who connected a service again since keeps that.
DELETE FROM user_service_instances u USING migrated_instances m
WHERE u.instance_id = m.instance_id AND u.credential_kind = 'legacy';
DROP TABLE migration_conflicts, migrated_instances;
