-- Up Migration
-- Services that a person imported: whose they are, what came of the import, and what of a remote server's tools waits for
-- that person. And when an application that was let in by OAuth last came.

-- Null: a service for everybody. Said by its own configuration, so that a service is never seen without its owner.
ALTER TABLE service_registry ADD COLUMN owner_id uuid
  GENERATED ALWAYS AS ((service_config->>'owner')::uuid) STORED;
ALTER TABLE service_registry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON service_registry TO crossfade_mcp_owner USING (true) WITH CHECK (true);
CREATE POLICY keeper_all ON service_registry TO crossfade_mcp_keeper USING (true) WITH CHECK (true);
CREATE POLICY runtime_reads ON service_registry FOR SELECT TO crossfade_mcp_runtime USING (true);
CREATE POLICY open_or_own ON service_registry FOR SELECT TO crossfade_mcp_api
  USING (owner_id IS NULL OR owner_id = (SELECT current_user_id()));
-- Nobody is connected to what they can't see.
CREATE POLICY seen_services ON user_service_instances AS RESTRICTIVE FOR INSERT TO crossfade_mcp_api
  WITH CHECK (EXISTS (SELECT FROM service_registry r WHERE r.service_type = user_service_instances.service_type));

CREATE TABLE service_imports (
  service_type varchar(50) PRIMARY KEY REFERENCES service_registry (service_type) ON DELETE CASCADE,
  -- Who imported it, also where it is for everybody.
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  file_name text NOT NULL CHECK (length(file_name) BETWEEN 1 AND 200),
  -- What should be looked at: [{ severity, message, pointer, line }].
  findings jsonb NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX service_imports_user_id_idx ON service_imports (user_id);
ALTER TABLE service_imports ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON service_imports TO crossfade_mcp_owner USING (true) WITH CHECK (true);
CREATE POLICY keeper_all ON service_imports TO crossfade_mcp_keeper USING (true) WITH CHECK (true);
CREATE POLICY own_rows ON service_imports FOR SELECT TO crossfade_mcp_api
  USING (user_id = (SELECT current_user_id()));
-- Written by the keeper alone: a row says whose word counts about the tools of a remote server.
GRANT SELECT ON service_imports TO crossfade_mcp_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON service_imports TO crossfade_mcp_keeper;

-- ── The tools of remote servers, for whoever imported them ───────────────────────────────────────────────────────

CREATE FUNCTION list_own_remote_tools(p_service_type text)
  RETURNS TABLE (tool_name text, digest text, state text, definition jsonb, first_seen timestamptz, changed_at timestamptz)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT p.tool_name::text, p.digest::text, p.state, p.definition, p.first_seen, p.changed_at
    FROM public.remote_tool_pins p
    JOIN public.service_imports i ON i.service_type = p.service_type
    WHERE p.service_type = p_service_type AND i.user_id = public.current_user_id()
    ORDER BY p.tool_name, p.state LIMIT 2000;
END
$$;

-- How many definitions wait, for each service that the user imported.
CREATE FUNCTION count_own_waiting_tools() RETURNS TABLE (service_type text, waiting integer)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT p.service_type::text, count(*)::integer FROM public.remote_tool_pins p
    JOIN public.service_imports i ON i.service_type = p.service_type
    WHERE i.user_id = public.current_user_id() AND p.state = 'quarantined' GROUP BY p.service_type;
END
$$;

-- As approve_remote_tool, for the user who imported the service. False as well when it is another's.
CREATE FUNCTION approve_own_remote_tool(p_service_type text, p_tool_name text, p_digest text)
  RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.service_imports i
    WHERE i.service_type = p_service_type AND i.user_id = public.current_user_id()) THEN
    RETURN false;
  END IF;
  RETURN public.approve_remote_tool(p_service_type, p_tool_name, p_digest);
END
$$;

-- Takes an approval back: the tool is neither listed nor called until a definition of it is approved. A definition that
-- waits already stays the one that waits. False when this one is not the approved one, or the service is another's.
CREATE FUNCTION quarantine_own_remote_tool(p_service_type text, p_tool_name text, p_digest text)
  RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.service_imports i
    WHERE i.service_type = p_service_type AND i.user_id = public.current_user_id()) THEN
    RETURN false;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('crossfade_mcp.remote_tool_pins/' || p_service_type, 0));
  IF EXISTS (SELECT FROM public.remote_tool_pins p WHERE p.service_type = p_service_type
    AND p.tool_name = p_tool_name AND p.state = 'quarantined') THEN
    DELETE FROM public.remote_tool_pins p WHERE p.service_type = p_service_type
      AND p.tool_name = p_tool_name AND p.digest = p_digest AND p.state = 'pinned';
  ELSE
    UPDATE public.remote_tool_pins p SET state = 'quarantined', changed_at = now()
    WHERE p.service_type = p_service_type AND p.tool_name = p_tool_name AND p.digest = p_digest AND p.state = 'pinned';
  END IF;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM public.tell_change(jsonb_build_object('kind', 'service', 'serviceType', p_service_type));
  RETURN true;
END
$$;

REVOKE ALL ON FUNCTION list_own_remote_tools(text), count_own_waiting_tools(),
  approve_own_remote_tool(text, text, text), quarantine_own_remote_tool(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION list_own_remote_tools(text), count_own_waiting_tools(),
  approve_own_remote_tool(text, text, text), quarantine_own_remote_tool(text, text, text) TO crossfade_mcp_api;

-- ── When an application last came ────────────────────────────────────────────────────────────────────────────────

ALTER TABLE oauth_consents ADD COLUMN last_used_at timestamptz;
CREATE INDEX oauth_consents_user_client_idx ON oauth_consents (user_id, client_id);

-- As before, and keeps the minute: workers ask for each token every few seconds, which must not be a write each time.
CREATE OR REPLACE FUNCTION find_oauth_access_token(p_token_hash text)
  RETURNS TABLE (user_id uuid, client_id text, resources jsonb, scopes jsonb, expires_at timestamptz)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT t.user_id, t.client_id::text, t.resources, t.scopes, t.expires_at
    FROM public.oauth_access_tokens t
    JOIN public.users u ON u.id = t.user_id
    JOIN public.oauth_clients c ON c.client_id = t.client_id
    WHERE t.token = p_token_hash AND t.revoked IS NULL AND t.expires_at > now() AND t.confirmation IS NULL
      AND u.is_active AND c.disabled IS NOT TRUE;
  IF FOUND THEN
    UPDATE public.oauth_consents o SET last_used_at = now() FROM public.oauth_access_tokens t
    WHERE t.token = p_token_hash AND o.user_id = t.user_id AND o.client_id = t.client_id
      AND (o.last_used_at IS NULL OR o.last_used_at < now() - interval '1 minute');
  END IF;
END
$$;

-- Down Migration
CREATE OR REPLACE FUNCTION find_oauth_access_token(p_token_hash text)
  RETURNS TABLE (user_id uuid, client_id text, resources jsonb, scopes jsonb, expires_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.user_id, t.client_id::text, t.resources, t.scopes, t.expires_at
  FROM public.oauth_access_tokens t
  JOIN public.users u ON u.id = t.user_id
  JOIN public.oauth_clients c ON c.client_id = t.client_id
  WHERE t.token = p_token_hash AND t.revoked IS NULL AND t.expires_at > now() AND t.confirmation IS NULL
    AND u.is_active AND c.disabled IS NOT TRUE
$$;
DROP INDEX oauth_consents_user_client_idx;
ALTER TABLE oauth_consents DROP COLUMN last_used_at;
DROP FUNCTION quarantine_own_remote_tool(text, text, text), approve_own_remote_tool(text, text, text),
  count_own_waiting_tools(), list_own_remote_tools(text);
DROP TABLE service_imports;
DROP POLICY seen_services ON user_service_instances;
DROP POLICY open_or_own ON service_registry;
DROP POLICY runtime_reads ON service_registry;
DROP POLICY keeper_all ON service_registry;
DROP POLICY owner_all ON service_registry;
ALTER TABLE service_registry NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
ALTER TABLE service_registry DROP COLUMN owner_id;
