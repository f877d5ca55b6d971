-- Up Migration
-- OAuth towards upstreams: whose consent is being asked for, and with which client.

-- When the upstream last said that the stored credential is right; null: stored unasked.
ALTER TABLE user_service_instances ADD COLUMN credential_verified_at timestamptz;

-- The platform's own client at an upstream, registered there by the administrator. Environment variables go before it.
CREATE TABLE upstream_clients (
  service_type varchar(50) PRIMARY KEY REFERENCES service_registry (service_type) ON DELETE CASCADE,
  client_id text NOT NULL CHECK (length(client_id) BETWEEN 1 AND 500),
  -- Wrapped by a key-encryption key that no database knows; null: a public client.
  wrapped_secret bytea,
  key_encryption_key_id text,
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CHECK ((wrapped_secret IS NULL) = (key_encryption_key_id IS NULL))
);

-- One walk through an upstream's consent page: used once, by the session that began it, within minutes.
CREATE TABLE upstream_authorizations (
  state_hash bytea PRIMARY KEY CHECK (length(state_hash) = 32),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- SHA-256 of the session's token: a link that somebody else began is worth nothing in another browser.
  session_hash bytea NOT NULL CHECK (length(session_hash) = 32),
  service_type varchar(50) NOT NULL REFERENCES service_registry (service_type) ON DELETE CASCADE,
  -- RFC 7636. Worth nothing without the code, which never comes here.
  code_verifier text NOT NULL,
  redirect_uri text NOT NULL,
  -- Which client began it: one that was changed meanwhile can't end it.
  client_id text NOT NULL,
  return_to text NOT NULL,
  variables jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  expires_at timestamptz NOT NULL
);
CREATE INDEX upstream_authorizations_user_id_idx ON upstream_authorizations (user_id);
CREATE INDEX upstream_authorizations_expires_at_idx ON upstream_authorizations (expires_at);

ALTER TABLE upstream_authorizations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON upstream_authorizations TO crossfade_mcp_owner USING (true) WITH CHECK (true);
CREATE POLICY own_rows ON upstream_authorizations TO crossfade_mcp_api USING (user_id = (SELECT current_user_id()))
  WITH CHECK (user_id = (SELECT current_user_id()));
GRANT SELECT, INSERT, DELETE ON upstream_authorizations TO crossfade_mcp_api;

GRANT SELECT ON upstream_clients TO crossfade_mcp_api, crossfade_mcp_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON upstream_clients TO crossfade_mcp_keeper;

-- Down Migration
REVOKE ALL ON upstream_clients FROM crossfade_mcp_api, crossfade_mcp_runtime, crossfade_mcp_keeper;
DROP TABLE upstream_authorizations, upstream_clients;
ALTER TABLE user_service_instances DROP COLUMN credential_verified_at;
