-- Up Migration
-- Who may do what. Four login roles (created by roles.ts before any migration), none of which owns anything:
--   crossfade_mcp_accounts  sign-in: account tables only
--   crossfade_mcp_api       acts for one user at a time, held to that user's rows by row-level security
--   crossfade_mcp_runtime   serves instances: no table at all, only the functions below
--   crossfade_mcp_keeper    health, registry, retention, rotation of keys
-- Row-level security is forced, so the owner's functions pass by its own policies and not by being the owner.

-- Tables of accounts: whatever 001 made, for the accounts role alone.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['users', 'sessions', 'accounts', 'verifications', 'sign_in_rates', 'oauth_clients',
    'oauth_resources', 'oauth_client_resources', 'oauth_refresh_tokens', 'oauth_access_tokens', 'oauth_consents',
    'oauth_client_assertions'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY owner_all ON %I TO crossfade_mcp_owner USING (true) WITH CHECK (true)', name);
    EXECUTE format('CREATE POLICY accounts_all ON %I TO crossfade_mcp_accounts USING (true) WITH CHECK (true)', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO crossfade_mcp_accounts', name);
  END LOOP;
  -- Tables of users beside them: the api role sees the rows of the user whom it acts for.
  FOREACH name IN ARRAY ARRAY['api_tokens', 'data_keys', 'user_service_instances', 'instance_tokens',
    'api_key_validation_cache', 'service_usage_analytics', 'audit_log', 'migration_conflicts'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY owner_all ON %I TO crossfade_mcp_owner USING (true) WITH CHECK (true)', name);
    -- In parentheses with SELECT: the signature is checked once per statement instead of once per row.
    EXECUTE format('CREATE POLICY own_rows ON %I TO crossfade_mcp_api USING (user_id = (SELECT current_user_id())) '
      'WITH CHECK (user_id = (SELECT current_user_id()))', name);
  END LOOP;
  -- Only functions of the owner touch these.
  FOREACH name IN ARRAY ARRAY['instance_data_keys', 'key_checks', 'context_secret', 'role_passwords',
    'migrated_instances'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY owner_all ON %I TO crossfade_mcp_owner USING (true) WITH CHECK (true)', name);
  END LOOP;
END
$$;

-- The user's own row; not the legacy password's hash.
CREATE POLICY own_row ON users FOR SELECT TO crossfade_mcp_api USING (id = (SELECT current_user_id()));
GRANT SELECT (id, email, name, image, email_verified, role, is_active, created_at, updated_at) ON users TO crossfade_mcp_api;

GRANT SELECT, INSERT, DELETE ON api_tokens TO crossfade_mcp_api;
GRANT UPDATE (name, revoked_at, last_used_at) ON api_tokens TO crossfade_mcp_api;
GRANT SELECT, INSERT ON data_keys TO crossfade_mcp_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON user_service_instances TO crossfade_mcp_api;
GRANT SELECT, INSERT, DELETE ON instance_tokens TO crossfade_mcp_api;
GRANT UPDATE (name, scopes, expires_at, revoked_at, last_used_at) ON instance_tokens TO crossfade_mcp_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON api_key_validation_cache TO crossfade_mcp_api;
GRANT SELECT ON service_usage_analytics, audit_log, migration_conflicts TO crossfade_mcp_api;
GRANT SELECT ON service_registry, service_health_status, platform_settings TO crossfade_mcp_api, crossfade_mcp_runtime;

-- The keeper: everything that no user owns, and of instances what rotation needs. Never sessions, users or tokens.
CREATE POLICY keeper_all ON data_keys TO crossfade_mcp_keeper USING (true) WITH CHECK (true);
CREATE POLICY keeper_all ON user_service_instances TO crossfade_mcp_keeper USING (true) WITH CHECK (true);
CREATE POLICY keeper_reads ON service_usage_analytics FOR SELECT TO crossfade_mcp_keeper USING (true);
CREATE POLICY keeper_reads ON migration_conflicts FOR SELECT TO crossfade_mcp_keeper USING (true);
CREATE POLICY keeper_reads ON instance_data_keys FOR SELECT TO crossfade_mcp_keeper USING (true);
GRANT SELECT, INSERT, DELETE ON data_keys TO crossfade_mcp_keeper;
GRANT UPDATE (key_encryption_key_id, wrapped_key, rewrapped_at, state, retired_at, seals) ON data_keys TO crossfade_mcp_keeper;
GRANT SELECT ON instance_data_keys TO crossfade_mcp_keeper;
GRANT SELECT (instance_id, user_id, service_type, encrypted_api_key, encrypted_additional_credentials, is_active,
  credential_kind, credential_version, credential_state) ON user_service_instances TO crossfade_mcp_keeper;
GRANT UPDATE (encrypted_api_key, encrypted_additional_credentials) ON user_service_instances TO crossfade_mcp_keeper;
GRANT SELECT ON service_usage_analytics, migration_conflicts TO crossfade_mcp_keeper;
GRANT SELECT, INSERT, UPDATE ON service_registry, platform_settings TO crossfade_mcp_keeper;
GRANT SELECT, INSERT, UPDATE, DELETE ON service_health_status TO crossfade_mcp_keeper;

-- ── What changed, told in the transaction that changes it ────────────────────────────────────────────────────────

CREATE FUNCTION tell_change(p_change jsonb) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT pg_notify('crossfade_mcp_changed', p_change::text)
$$;

CREATE FUNCTION user_service_instances_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- Rotation seals the same secret anew: whoever holds it already holds the right one.
  IF TG_OP = 'UPDATE' AND session_user = 'crossfade_mcp_keeper' THEN
    RETURN NULL;
  END IF;
  PERFORM public.tell_change(jsonb_build_object('kind', 'instance', 'instanceId', OLD.instance_id));
  RETURN NULL;
END
$$;
CREATE TRIGGER user_service_instances_tell_delete AFTER DELETE ON user_service_instances
  FOR EACH ROW EXECUTE FUNCTION user_service_instances_changed();
-- Counting uses is no change.
CREATE TRIGGER user_service_instances_tell_update AFTER UPDATE ON user_service_instances
  FOR EACH ROW WHEN (
    (OLD.instance_id, OLD.user_id, OLD.service_type, OLD.encrypted_api_key, OLD.encrypted_additional_credentials,
      OLD.is_active, OLD.config, OLD.credential_kind, OLD.credential_version, OLD.credential_state, OLD.token_expires_at)
    IS DISTINCT FROM
    (NEW.instance_id, NEW.user_id, NEW.service_type, NEW.encrypted_api_key, NEW.encrypted_additional_credentials,
      NEW.is_active, NEW.config, NEW.credential_kind, NEW.credential_version, NEW.credential_state, NEW.token_expires_at)
  ) EXECUTE FUNCTION user_service_instances_changed();

-- A user who replaces a credential makes it a new version, whether the statement says so or not.
CREATE FUNCTION user_service_instances_count_version() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF session_user = 'crossfade_mcp_api' AND NEW.credential_version <= OLD.credential_version THEN
    NEW.credential_version := OLD.credential_version + 1;
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER user_service_instances_count_version BEFORE UPDATE ON user_service_instances
  FOR EACH ROW WHEN (
    (OLD.encrypted_api_key, OLD.encrypted_additional_credentials)
    IS DISTINCT FROM (NEW.encrypted_api_key, NEW.encrypted_additional_credentials)
  ) EXECUTE FUNCTION user_service_instances_count_version();

CREATE FUNCTION instance_tokens_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM public.tell_change(
    jsonb_build_object('kind', 'token', 'tokenId', OLD.id, 'instanceId', OLD.instance_id));
  RETURN NULL;
END
$$;
CREATE TRIGGER instance_tokens_tell_delete AFTER DELETE ON instance_tokens
  FOR EACH ROW EXECUTE FUNCTION instance_tokens_changed();
CREATE TRIGGER instance_tokens_tell_update AFTER UPDATE ON instance_tokens
  FOR EACH ROW WHEN (
    (OLD.scopes, OLD.expires_at, OLD.revoked_at, OLD.kind, OLD.secret_hash, OLD.instance_id)
    IS DISTINCT FROM (NEW.scopes, NEW.expires_at, NEW.revoked_at, NEW.kind, NEW.secret_hash, NEW.instance_id)
  ) EXECUTE FUNCTION instance_tokens_changed();

CREATE FUNCTION users_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM public.tell_change(jsonb_build_object('kind', 'user', 'userId', OLD.id));
  RETURN NULL;
END
$$;
CREATE TRIGGER users_tell_delete AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION users_changed();
CREATE TRIGGER users_tell_update AFTER UPDATE ON users
  FOR EACH ROW WHEN ((OLD.id, OLD.is_active, OLD.role) IS DISTINCT FROM (NEW.id, NEW.is_active, NEW.role))
  EXECUTE FUNCTION users_changed();

CREATE FUNCTION service_registry_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM public.tell_change(jsonb_build_object('kind', 'service', 'serviceType', NEW.service_type));
  RETURN NULL;
END
$$;
CREATE TRIGGER service_registry_tell_update AFTER UPDATE ON service_registry
  FOR EACH ROW WHEN (OLD.is_available IS DISTINCT FROM NEW.is_available) EXECUTE FUNCTION service_registry_changed();

CREATE FUNCTION platform_settings_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM public.tell_change(jsonb_build_object('kind', 'catalog', 'digest', NEW.value));
  RETURN NULL;
END
$$;
CREATE TRIGGER platform_settings_tell AFTER INSERT OR UPDATE ON platform_settings
  FOR EACH ROW WHEN (NEW.key = 'catalog_digest') EXECUTE FUNCTION platform_settings_changed();

-- ── What the runtime role can do ─────────────────────────────────────────────────────────────────────────────────
-- plpgsql, because its plans are kept for the session; one of them runs for every instance that a worker opens.

CREATE FUNCTION open_instance(p_instance_id text, p_service_type text, p_kind text, p_secret_hash bytea)
  RETURNS TABLE (user_id uuid, token_id uuid, scopes text[], token_expires_at timestamptz, encrypted_api_key text,
    encrypted_additional_credentials jsonb, credential_kind text, credential_version integer, credential_state text,
    access_expires_at timestamptz, config jsonb)
  LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT i.user_id, t.id, t.scopes, t.expires_at, i.encrypted_api_key, i.encrypted_additional_credentials,
    i.credential_kind, i.credential_version, i.credential_state, i.token_expires_at, i.config
  FROM public.instance_tokens t
  JOIN public.user_service_instances i ON i.instance_id = t.instance_id AND i.user_id = t.user_id
  JOIN public.users u ON u.id = i.user_id
  WHERE t.secret_hash = p_secret_hash AND t.kind = p_kind AND t.instance_id = p_instance_id
    AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
    AND i.service_type = p_service_type AND i.is_active AND u.is_active;
END
$$;

-- For an access token of OAuth that was verified already: the same, without a token of the instance.
CREATE FUNCTION open_instance_of_user(p_instance_id text, p_service_type text, p_user_id uuid)
  RETURNS TABLE (user_id uuid, token_id uuid, scopes text[], token_expires_at timestamptz, encrypted_api_key text,
    encrypted_additional_credentials jsonb, credential_kind text, credential_version integer, credential_state text,
    access_expires_at timestamptz, config jsonb)
  LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT i.user_id, NULL::uuid, NULL::text[], NULL::timestamptz, i.encrypted_api_key,
    i.encrypted_additional_credentials, i.credential_kind, i.credential_version, i.credential_state,
    i.token_expires_at, i.config
  FROM public.user_service_instances i
  JOIN public.users u ON u.id = i.user_id
  WHERE i.instance_id = p_instance_id AND i.user_id = p_user_id AND i.service_type = p_service_type
    AND i.is_active AND u.is_active;
END
$$;

-- Writes an access token that was renewed. False when the credential was replaced, or taken away, meanwhile.
CREATE FUNCTION store_refreshed_credential(p_instance_id text, p_credential_version integer,
    p_encrypted_api_key text, p_additional jsonb, p_expires_at timestamptz)
  RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.user_service_instances
  SET encrypted_api_key = p_encrypted_api_key, encrypted_additional_credentials = p_additional,
    token_expires_at = p_expires_at, credential_state = 'active', updated_at = now()
  WHERE instance_id = p_instance_id AND credential_version = p_credential_version AND is_active;
  RETURN FOUND;
END
$$;

-- The upstream takes the credential no more: the user has to connect the service again.
CREATE FUNCTION mark_needs_authorization(p_instance_id text, p_credential_version integer)
  RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.user_service_instances SET credential_state = 'needs_authorization', updated_at = now()
  WHERE instance_id = p_instance_id AND credential_version = p_credential_version;
  RETURN FOUND;
END
$$;

-- Writes a batch of usage: [{ userId, serviceType, instanceId, endpoint, method, statusCode, responseTimeMs, errorCode,
-- atMs, tokenId? }]. Gives the number of rows written; records of users and services that are gone are left out.
CREATE FUNCTION record_usage(p_records jsonb)
  RETURNS integer LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  written integer;
BEGIN
  -- In the order of their ids, so that two batches at once wait for each other and don't block each other.
  PERFORM FROM public.user_service_instances i
  WHERE i.instance_id IN (SELECT record->>'instanceId' FROM jsonb_array_elements(p_records) record)
  ORDER BY i.instance_id FOR NO KEY UPDATE;
  WITH records AS MATERIALIZED (
    SELECT r."userId" AS user_id, r."serviceType" AS service_type, r."instanceId" AS instance_id, r.endpoint, r.method,
      r."statusCode" AS status_code, r."responseTimeMs" AS response_time_ms, r."errorCode" AS error_code,
      -- Not further ahead than a clock may be wrong: a time of the future would want a partition of its own.
      least(to_timestamp(r."atMs" / 1000.0), now() + interval '1 hour') AS at, r."tokenId" AS token_id
    FROM jsonb_to_recordset(p_records) AS r("userId" uuid, "serviceType" text, "instanceId" text, endpoint text,
      method text, "statusCode" integer, "responseTimeMs" double precision, "errorCode" text, "atMs" double precision,
      "tokenId" uuid)
  ), counted AS (
    UPDATE public.user_service_instances i
    SET usage_count = least(coalesce(i.usage_count, 0)::bigint + c.calls, 2147483647),
      last_used_at = greatest(i.last_used_at, c.last_at)
    FROM (SELECT instance_id, user_id, count(*) AS calls, max(at) AS last_at FROM records GROUP BY 1, 2) c
    WHERE i.instance_id = c.instance_id AND i.user_id = c.user_id
  ), tokens AS (
    UPDATE public.instance_tokens t SET last_used_at = greatest(t.last_used_at, u.last_at)
    FROM (SELECT token_id, instance_id, max(at) AS last_at FROM records WHERE token_id IS NOT NULL GROUP BY 1, 2) u
    WHERE t.id = u.token_id AND t.instance_id = u.instance_id
  ), inserted AS (
    INSERT INTO public.service_usage_analytics
      (user_id, service_type, instance_id, endpoint, method, status_code, response_time_ms, error_message, "timestamp")
    SELECT r.user_id, r.service_type, r.instance_id, left(r.endpoint, 255), left(r.method, 64), r.status_code,
      least(round(r.response_time_ms), 2147483647)::integer, r.error_code, r.at
    FROM records r
    WHERE EXISTS (SELECT FROM public.users u WHERE u.id = r.user_id)
      AND EXISTS (SELECT FROM public.service_registry s WHERE s.service_type = r.service_type)
    RETURNING 1
  )
  SELECT count(*) INTO written FROM inserted;
  RETURN written;
END
$$;

-- ── What the vault asks ──────────────────────────────────────────────────────────────────────────────────────────

CREATE FUNCTION find_data_key(p_id text)
  RETURNS TABLE (id text, user_id uuid, key_encryption_key_id text, wrapped_key bytea)
  LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT k.id, k.user_id, k.key_encryption_key_id, k.wrapped_key FROM public.data_keys k WHERE k.id = p_id;
END
$$;

-- The user's current key, one use of it counted; no row when there is none yet, or when it was used `p_seals_max` times.
CREATE FUNCTION use_data_key(p_user_id uuid, p_seals_max bigint)
  RETURNS TABLE (id text, user_id uuid, key_encryption_key_id text, wrapped_key bytea)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  UPDATE public.data_keys k SET seals = k.seals + 1
  WHERE k.user_id = p_user_id AND k.state = 'current' AND k.seals < p_seals_max
  RETURNING k.id, k.user_id, k.key_encryption_key_id, k.wrapped_key;
END
$$;

-- Makes a key the user's current one, unless there is one with uses left, which then is the answer: of two who make
-- one at once, both get the same. A current key that is used up is retired.
CREATE FUNCTION add_data_key(p_id text, p_user_id uuid, p_key_encryption_key_id text, p_wrapped_key bytea, p_seals_max bigint)
  RETURNS TABLE (id text, user_id uuid, key_encryption_key_id text, wrapped_key bytea)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('crossfade_mcp.data_key/' || p_user_id::text, 0));
  RETURN QUERY SELECT * FROM public.use_data_key(p_user_id, p_seals_max);
  IF FOUND THEN
    RETURN;
  END IF;
  UPDATE public.data_keys k SET state = 'retired', retired_at = now() WHERE k.user_id = p_user_id AND k.state = 'current';
  RETURN QUERY
  INSERT INTO public.data_keys AS k (id, user_id, key_encryption_key_id, wrapped_key, seals)
  VALUES (p_id, p_user_id, p_key_encryption_key_id, p_wrapped_key, 1)
  ON CONFLICT (user_id) WHERE state = 'current' DO NOTHING
  RETURNING k.id, k.user_id, k.key_encryption_key_id, k.wrapped_key;
  -- A rotation was quicker: its key is the one.
  IF NOT FOUND THEN
    RETURN QUERY SELECT * FROM public.use_data_key(p_user_id, p_seals_max);
  END IF;
END
$$;

CREATE FUNCTION list_key_checks() RETURNS TABLE (key_encryption_key_id text, wrapped_value bytea)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.key_encryption_key_id, c.wrapped_value FROM public.key_checks c ORDER BY c.created_at
$$;

-- The generations of key-encryption keys that something is wrapped by: data keys, and the platform's own clients at
-- upstreams (016).
CREATE FUNCTION list_key_encryption_keys_in_use() RETURNS SETOF text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY SELECT DISTINCT k.key_encryption_key_id FROM public.data_keys k;
  IF to_regclass('public.upstream_clients') IS NOT NULL THEN
    RETURN QUERY SELECT DISTINCT c.key_encryption_key_id FROM public.upstream_clients c
      WHERE c.key_encryption_key_id IS NOT NULL;
  END IF;
END
$$;

-- Keeps a wrapped known value for a generation that has none yet.
CREATE FUNCTION add_key_check(p_key_encryption_key_id text, p_wrapped_value bytea) RETURNS void
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.key_checks (key_encryption_key_id, wrapped_value) VALUES (p_key_encryption_key_id, p_wrapped_value)
  ON CONFLICT DO NOTHING
$$;

-- ── The trail ────────────────────────────────────────────────────────────────────────────────────────────────────

-- Adds to the audit log. For the api role the user is the one whom the transaction acts for, whatever it says.
CREATE FUNCTION record_audit(p_action text, p_subject text, p_details jsonb, p_outcome text, p_user_id uuid, p_source_ip inet)
  RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  about uuid := p_user_id;
  added bigint;
BEGIN
  IF session_user = 'crossfade_mcp_api' THEN
    about := public.current_user_id();
    IF about IS NULL THEN
      RAISE EXCEPTION 'nobody is signed in' USING ERRCODE = 'insufficient_privilege';
    END IF;
  END IF;
  INSERT INTO public.audit_log (user_id, actor, action, subject, details, outcome, source_ip)
  VALUES (about, CASE session_user WHEN 'crossfade_mcp_api' THEN 'user' ELSE replace(session_user, 'crossfade_mcp_', '') END,
    p_action, p_subject, coalesce(p_details, '{}'), p_outcome, p_source_ip)
  RETURNING id INTO added;
  RETURN added;
END
$$;

-- ── Who may run what ─────────────────────────────────────────────────────────────────────────────────────────────

REVOKE ALL ON FUNCTION tell_change(jsonb), user_service_instances_changed(), user_service_instances_count_version(),
  instance_tokens_changed(), users_changed(), service_registry_changed(), platform_settings_changed(),
  open_instance(text, text, text, bytea), open_instance_of_user(text, text, uuid),
  store_refreshed_credential(text, integer, text, jsonb, timestamptz), mark_needs_authorization(text, integer),
  record_usage(jsonb), find_data_key(text), use_data_key(uuid, bigint), add_data_key(text, uuid, text, bytea, bigint),
  list_key_checks(), list_key_encryption_keys_in_use(), add_key_check(text, bytea),
  record_audit(text, text, jsonb, text, uuid, inet) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION enter_session(text), enter_api_token(bytea), current_user_id() TO crossfade_mcp_api;
GRANT EXECUTE ON FUNCTION open_instance(text, text, text, bytea), open_instance_of_user(text, text, uuid),
  store_refreshed_credential(text, integer, text, jsonb, timestamptz), mark_needs_authorization(text, integer),
  record_usage(jsonb), find_oauth_access_token(text), find_linked_user(text, text), find_user_by_verified_email(text)
  TO crossfade_mcp_runtime;
GRANT EXECUTE ON FUNCTION find_data_key(text), use_data_key(uuid, bigint), add_data_key(text, uuid, text, bytea, bigint),
  list_key_checks(), list_key_encryption_keys_in_use(), add_key_check(text, bytea)
  TO crossfade_mcp_runtime, crossfade_mcp_keeper;
GRANT EXECUTE ON FUNCTION find_instance_owner(text, text), create_api_token_of(uuid, text, bytea, text[], timestamptz)
  TO crossfade_mcp_accounts;
GRANT EXECUTE ON FUNCTION record_audit(text, text, jsonb, text, uuid, inet)
  TO crossfade_mcp_api, crossfade_mcp_accounts, crossfade_mcp_keeper;

-- Down Migration
DROP FUNCTION record_audit(text, text, jsonb, text, uuid, inet), add_key_check(text, bytea),
  list_key_encryption_keys_in_use(), list_key_checks(), add_data_key(text, uuid, text, bytea, bigint),
  use_data_key(uuid, bigint), find_data_key(text), record_usage(jsonb), mark_needs_authorization(text, integer),
  store_refreshed_credential(text, integer, text, jsonb, timestamptz), open_instance_of_user(text, text, uuid),
  open_instance(text, text, text, bytea);
DROP TRIGGER platform_settings_tell ON platform_settings;
DROP TRIGGER service_registry_tell_update ON service_registry;
DROP TRIGGER users_tell_update ON users;
DROP TRIGGER users_tell_delete ON users;
DROP TRIGGER instance_tokens_tell_update ON instance_tokens;
DROP TRIGGER instance_tokens_tell_delete ON instance_tokens;
DROP TRIGGER user_service_instances_count_version ON user_service_instances;
DROP TRIGGER user_service_instances_tell_update ON user_service_instances;
DROP TRIGGER user_service_instances_tell_delete ON user_service_instances;
DROP FUNCTION platform_settings_changed(), service_registry_changed(), users_changed(), instance_tokens_changed(),
  user_service_instances_count_version(), user_service_instances_changed(), tell_change(jsonb);
DO $$
DECLARE
  found record;
BEGIN
  FOR found IN SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public'
    AND (policyname IN ('owner_all', 'own_rows', 'own_row', 'accounts_all', 'keeper_all', 'keeper_reads')) LOOP
    EXECUTE format('DROP POLICY %I ON public.%I', found.policyname, found.tablename);
    EXECUTE format('ALTER TABLE public.%I DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', found.tablename);
  END LOOP;
  FOR found IN SELECT rolname FROM pg_roles WHERE rolname IN
    ('crossfade_mcp_accounts', 'crossfade_mcp_api', 'crossfade_mcp_runtime', 'crossfade_mcp_keeper') LOOP
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', found.rolname);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM %I', found.rolname);
  END LOOP;
END
$$;
