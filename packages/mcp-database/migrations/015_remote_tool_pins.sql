-- Up Migration
-- What the tools of remote MCP servers were when somebody first saw or approved them. A definition that changes is a row
-- of its own, quarantined until an operator approves it: descriptions steer models, so a change of one is not harmless.
CREATE TABLE remote_tool_pins (
  service_type varchar(50) NOT NULL,
  tool_name varchar(64) NOT NULL,
  -- SHA-256 (hex) of name, title, description, schema and annotations.
  digest varchar(64) NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  definition jsonb NOT NULL,
  state text NOT NULL CHECK (state IN ('pinned', 'quarantined')),
  first_seen timestamptz NOT NULL DEFAULT now(),
  changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (service_type, tool_name, digest)
);
-- One definition of a tool is the approved one, and the last one that differs waits.
CREATE UNIQUE INDEX remote_tool_pins_one_per_state ON remote_tool_pins (service_type, tool_name, state);

ALTER TABLE remote_tool_pins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON remote_tool_pins TO crossfade_mcp_owner USING (true) WITH CHECK (true);
CREATE POLICY keeper_all ON remote_tool_pins TO crossfade_mcp_keeper USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON remote_tool_pins TO crossfade_mcp_keeper;

CREATE FUNCTION find_remote_tool_pins(p_service_type text)
  RETURNS TABLE (tool_name text, digest text, state text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT p.tool_name::text, p.digest::text, p.state FROM public.remote_tool_pins p
    WHERE p.service_type = p_service_type;
END
$$;

-- Keeps definitions that are not known yet: [{ name, digest, definition }]. Those of the first call for a service are pinned,
-- later ones quarantined; a tool of a new name is pinned when `p_accept_new` says so. Never changes what is pinned.
CREATE FUNCTION add_remote_tool_pins(p_service_type text, p_tools jsonb, p_accept_new boolean)
  RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  is_first boolean;
  tool record;
BEGIN
  -- Of two workers who see a service for the first time at once, one is first.
  PERFORM pg_advisory_xact_lock(hashtextextended('crossfade_mcp.remote_tool_pins/' || p_service_type, 0));
  is_first := NOT EXISTS (SELECT FROM public.remote_tool_pins p WHERE p.service_type = p_service_type);
  FOR tool IN SELECT t.name, t.digest, t.definition
    FROM jsonb_to_recordset(p_tools) AS t(name text, digest text, definition jsonb) LOOP
    CONTINUE WHEN EXISTS (SELECT FROM public.remote_tool_pins p
      WHERE p.service_type = p_service_type AND p.tool_name = tool.name AND p.digest = tool.digest);
    IF is_first OR (p_accept_new AND NOT EXISTS (SELECT FROM public.remote_tool_pins p
      WHERE p.service_type = p_service_type AND p.tool_name = tool.name)) THEN
      INSERT INTO public.remote_tool_pins (service_type, tool_name, digest, definition, state)
      VALUES (p_service_type, tool.name, tool.digest, tool.definition, 'pinned')
      ON CONFLICT DO NOTHING;
    ELSE
      DELETE FROM public.remote_tool_pins p
      WHERE p.service_type = p_service_type AND p.tool_name = tool.name AND p.state = 'quarantined';
      INSERT INTO public.remote_tool_pins (service_type, tool_name, digest, definition, state)
      VALUES (p_service_type, tool.name, tool.digest, tool.definition, 'quarantined');
    END IF;
  END LOOP;
END
$$;

-- Makes a quarantined definition the tool's own; the one before is forgotten, so that going back is a change as well.
-- False when that definition does not wait. Workers are told as of a changed service.
CREATE FUNCTION approve_remote_tool(p_service_type text, p_tool_name text, p_digest text)
  RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('crossfade_mcp.remote_tool_pins/' || p_service_type, 0));
  IF NOT EXISTS (SELECT FROM public.remote_tool_pins p WHERE p.service_type = p_service_type
    AND p.tool_name = p_tool_name AND p.digest = p_digest AND p.state = 'quarantined') THEN
    RETURN false;
  END IF;
  DELETE FROM public.remote_tool_pins p
  WHERE p.service_type = p_service_type AND p.tool_name = p_tool_name AND p.state = 'pinned';
  UPDATE public.remote_tool_pins p SET state = 'pinned', changed_at = now()
  WHERE p.service_type = p_service_type AND p.tool_name = p_tool_name AND p.digest = p_digest;
  PERFORM public.tell_change(jsonb_build_object('kind', 'service', 'serviceType', p_service_type));
  RETURN true;
END
$$;

REVOKE ALL ON FUNCTION find_remote_tool_pins(text), add_remote_tool_pins(text, jsonb, boolean),
  approve_remote_tool(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_remote_tool_pins(text), add_remote_tool_pins(text, jsonb, boolean)
  TO crossfade_mcp_runtime;
GRANT EXECUTE ON FUNCTION find_remote_tool_pins(text), approve_remote_tool(text, text, text) TO crossfade_mcp_keeper;

-- Down Migration
DROP FUNCTION approve_remote_tool(text, text, text), add_remote_tool_pins(text, jsonb, boolean),
  find_remote_tool_pins(text);
DROP TABLE remote_tool_pins;
