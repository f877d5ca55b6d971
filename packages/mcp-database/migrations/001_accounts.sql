-- Up Migration
-- Who uses the platform: users, their sign-ins and sessions, and the OAuth clients that they let in.
-- The columns are those that better-auth and its OAuth provider write, in snake_case (packages/accounts/table-names.ts).
-- A legacy platform has a users table already: it stays, and gets the columns that it lacks.

CREATE TABLE IF NOT EXISTS users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email varchar(255) NOT NULL UNIQUE,
  password_hash varchar(255),
  name varchar(255),
  created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz DEFAULT CURRENT_TIMESTAMP
);
ALTER TABLE users ADD COLUMN IF NOT EXISTS email_verified boolean NOT NULL DEFAULT false;
ALTER TABLE users ADD COLUMN IF NOT EXISTS image text;
ALTER TABLE users ADD COLUMN IF NOT EXISTS role text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin'));
-- An inactive user can't sign in, and opens nothing by any token.
ALTER TABLE users ADD COLUMN IF NOT EXISTS is_active boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN users.password_hash IS 'Of the legacy platform; never read. Passwords are in accounts.password (scrypt).';

CREATE TABLE sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token text NOT NULL UNIQUE,
  expires_at timestamptz NOT NULL,
  ip_address text,
  user_agent text,
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- A way to sign in as a user: provider_id 'credential' with a password, or an external issuer's URL with its subject.
CREATE TABLE accounts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  provider_id text NOT NULL,
  account_id text NOT NULL,
  password text,
  access_token text,
  refresh_token text,
  id_token text,
  access_token_expires_at timestamptz,
  refresh_token_expires_at timestamptz,
  scope text,
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (provider_id, account_id)
);
CREATE INDEX accounts_user_id_idx ON accounts (user_id);

-- Short-lived values: e-mail verification, password reset, OAuth authorization codes (hashed).
CREATE TABLE verifications (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  identifier text NOT NULL,
  value text NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX verifications_identifier_idx ON verifications (identifier);
CREATE INDEX verifications_expires_at_idx ON verifications (expires_at);

-- Attempts per address and path, so that every worker counts together.
CREATE TABLE sign_in_rates (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  key text NOT NULL UNIQUE,
  count integer NOT NULL,
  last_request bigint NOT NULL
);
CREATE INDEX sign_in_rates_last_request_idx ON sign_in_rates (last_request);

CREATE TABLE oauth_clients (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  client_id text NOT NULL UNIQUE,
  client_secret text,
  client_discovery_id text,
  disabled boolean,
  skip_consent boolean,
  enable_end_session boolean,
  subject_type text,
  scopes jsonb,
  client_credentials_scopes jsonb,
  user_id uuid REFERENCES users (id) ON DELETE CASCADE,
  created_at timestamptz,
  updated_at timestamptz,
  name text,
  uri text,
  icon text,
  contacts jsonb,
  tos text,
  policy text,
  software_id text,
  software_version text,
  software_statement text,
  redirect_uris jsonb NOT NULL,
  post_logout_redirect_uris jsonb,
  backchannel_logout_uri text,
  backchannel_logout_session_required boolean,
  token_endpoint_auth_method text,
  application_type text,
  jwks text,
  jwks_uri text,
  grant_types jsonb,
  response_types jsonb,
  require_pkce boolean,
  dpop_bound_access_tokens boolean,
  reference_id text,
  metadata jsonb
);
CREATE INDEX oauth_clients_user_id_idx ON oauth_clients (user_id);

-- A protected resource: the URL of one instance. Written when somebody first asks to authorize for it.
CREATE TABLE oauth_resources (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  identifier text NOT NULL UNIQUE,
  name text NOT NULL,
  access_token_ttl integer,
  refresh_token_ttl integer,
  signing_algorithm text,
  signing_key_id text,
  allowed_scopes jsonb,
  custom_claims jsonb,
  dpop_bound_access_tokens_required boolean,
  disabled boolean,
  created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz DEFAULT CURRENT_TIMESTAMP,
  policy_version integer,
  metadata jsonb
);

CREATE TABLE oauth_client_resources (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  client_id text NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
  resource_id text NOT NULL REFERENCES oauth_resources (identifier) ON DELETE CASCADE,
  metadata jsonb,
  created_at timestamptz,
  UNIQUE (client_id, resource_id)
);
CREATE INDEX oauth_client_resources_resource_id_idx ON oauth_client_resources (resource_id);

-- token is a SHA-256 in every row of these two tables, never the token itself.
CREATE TABLE oauth_refresh_tokens (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  token text NOT NULL UNIQUE,
  client_id text NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
  session_id uuid REFERENCES sessions (id) ON DELETE SET NULL,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  reference_id text,
  authorization_code_id text,
  resources jsonb,
  requested_user_info_claims jsonb,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  revoked timestamptz,
  rotated_at timestamptz,
  rotation_replay_response text,
  rotation_replay_expires_at timestamptz,
  auth_time timestamptz,
  confirmation jsonb,
  scopes jsonb NOT NULL
);
CREATE INDEX oauth_refresh_tokens_client_id_idx ON oauth_refresh_tokens (client_id);
CREATE INDEX oauth_refresh_tokens_session_id_idx ON oauth_refresh_tokens (session_id);
CREATE INDEX oauth_refresh_tokens_user_id_idx ON oauth_refresh_tokens (user_id);
CREATE INDEX oauth_refresh_tokens_authorization_code_id_idx ON oauth_refresh_tokens (authorization_code_id);
CREATE INDEX oauth_refresh_tokens_expires_at_idx ON oauth_refresh_tokens (expires_at);

CREATE TABLE oauth_access_tokens (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  token text NOT NULL UNIQUE,
  client_id text NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
  session_id uuid REFERENCES sessions (id) ON DELETE SET NULL,
  user_id uuid REFERENCES users (id) ON DELETE CASCADE,
  reference_id text,
  authorization_code_id text,
  resources jsonb,
  requested_user_info_claims jsonb,
  refresh_id uuid REFERENCES oauth_refresh_tokens (id) ON DELETE CASCADE,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  revoked timestamptz,
  confirmation jsonb,
  scopes jsonb NOT NULL
);
CREATE INDEX oauth_access_tokens_client_id_idx ON oauth_access_tokens (client_id);
CREATE INDEX oauth_access_tokens_session_id_idx ON oauth_access_tokens (session_id);
CREATE INDEX oauth_access_tokens_user_id_idx ON oauth_access_tokens (user_id);
CREATE INDEX oauth_access_tokens_authorization_code_id_idx ON oauth_access_tokens (authorization_code_id);
CREATE INDEX oauth_access_tokens_refresh_id_idx ON oauth_access_tokens (refresh_id);
CREATE INDEX oauth_access_tokens_expires_at_idx ON oauth_access_tokens (expires_at);

CREATE TABLE oauth_consents (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  client_id text NOT NULL REFERENCES oauth_clients (client_id) ON DELETE CASCADE,
  user_id uuid REFERENCES users (id) ON DELETE CASCADE,
  reference_id text,
  resources jsonb,
  requested_user_info_claims jsonb,
  scopes jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX oauth_consents_client_id_idx ON oauth_consents (client_id);
CREATE INDEX oauth_consents_user_id_idx ON oauth_consents (user_id);

CREATE TABLE oauth_client_assertions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  expires_at timestamptz NOT NULL
);

-- The first user of an installation is its admin. The lock makes two first sign-ups wait for each other, so that there
-- is one admin, whoever came first. crossfade_mcp.first_user_is_admin = off (a setting of the connection) turns it off.
CREATE FUNCTION users_choose_role() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF coalesce(current_setting('crossfade_mcp.first_user_is_admin', true), 'on') <> 'off' THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('crossfade_mcp.first_user', 0));
    IF NOT EXISTS (SELECT FROM public.users) THEN
      NEW.role := 'admin';
    END IF;
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER users_choose_role BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION users_choose_role();

-- A user made inactive has no session and no OAuth token from that moment on.
CREATE FUNCTION users_end_sessions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM public.sessions WHERE user_id = NEW.id;
  DELETE FROM public.oauth_access_tokens WHERE user_id = NEW.id;
  DELETE FROM public.oauth_refresh_tokens WHERE user_id = NEW.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER users_end_sessions AFTER UPDATE OF is_active ON users
  FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION users_end_sessions();

-- Workers hold access tokens that they have seen: a revoked one is told to all of them in the same transaction.
CREATE FUNCTION oauth_access_tokens_tell_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('crossfade_mcp_changed', json_build_object('kind', 'user', 'userId', OLD.user_id)::text);
  RETURN NULL;
END
$$;
CREATE TRIGGER oauth_access_tokens_tell_update AFTER UPDATE ON oauth_access_tokens
  FOR EACH ROW WHEN (OLD.user_id IS NOT NULL AND OLD.revoked IS DISTINCT FROM NEW.revoked)
  EXECUTE FUNCTION oauth_access_tokens_tell_change();
CREATE TRIGGER oauth_access_tokens_tell_delete AFTER DELETE ON oauth_access_tokens
  FOR EACH ROW WHEN (OLD.user_id IS NOT NULL AND OLD.revoked IS NULL AND OLD.expires_at > now())
  EXECUTE FUNCTION oauth_access_tokens_tell_change();

-- A client that the user lets in no more has no token from that moment on.
CREATE FUNCTION oauth_consents_end_tokens() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM public.oauth_access_tokens WHERE client_id = OLD.client_id AND user_id = OLD.user_id;
  DELETE FROM public.oauth_refresh_tokens WHERE client_id = OLD.client_id AND user_id = OLD.user_id;
  RETURN NULL;
END
$$;
CREATE TRIGGER oauth_consents_end_tokens AFTER DELETE ON oauth_consents
  FOR EACH ROW EXECUTE FUNCTION oauth_consents_end_tokens();

-- For the runtime role: whom an OAuth access token of ours stands for. No row: unknown, revoked, expired, bound to a
-- key that nobody here checks, or its user or client is switched off.
CREATE FUNCTION find_oauth_access_token(p_token_hash text)
  RETURNS TABLE (user_id uuid, client_id text, resources jsonb, scopes jsonb, expires_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.user_id, t.client_id::text, t.resources, t.scopes, t.expires_at
  FROM public.oauth_access_tokens t
  JOIN public.users u ON u.id = t.user_id
  JOIN public.oauth_clients c ON c.client_id = t.client_id
  WHERE t.token = p_token_hash AND t.revoked IS NULL AND t.expires_at > now() AND t.confirmation IS NULL
    AND u.is_active AND c.disabled IS NOT TRUE
$$;

-- For the runtime role: the user whom an external issuer's token stands for, by an explicit link.
CREATE FUNCTION find_linked_user(p_issuer text, p_subject text) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id FROM public.accounts a JOIN public.users u ON u.id = a.user_id
  WHERE a.provider_id = p_issuer AND a.account_id = p_subject AND u.is_active
$$;

-- For the runtime role, where mapping by e-mail is configured: only an address that is verified here too.
CREATE FUNCTION find_user_by_verified_email(p_email text) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT id FROM public.users WHERE email = lower(p_email) AND email_verified AND is_active
$$;

-- For the accounts role: whose instance it is, so that nobody is asked for consent to another's. The table comes later
-- (008); a function's body is looked at when it runs.
CREATE FUNCTION find_instance_owner(p_instance_id text, p_service_type text) RETURNS uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (
    SELECT i.user_id FROM public.user_service_instances i
    WHERE i.instance_id = p_instance_id AND i.service_type = p_service_type AND i.is_active
  );
END
$$;

-- Who may run them is granted with the roles (013).
REVOKE ALL ON FUNCTION users_choose_role(), users_end_sessions(), oauth_access_tokens_tell_change(),
  oauth_consents_end_tokens(),
  find_oauth_access_token(text), find_linked_user(text, text), find_user_by_verified_email(text),
  find_instance_owner(text, text) FROM PUBLIC;

-- Down Migration
-- The users table stays: a legacy platform's rows are in it. Its columns from here go.
DROP FUNCTION find_instance_owner(text, text);
DROP FUNCTION find_user_by_verified_email(text);
DROP FUNCTION find_linked_user(text, text);
DROP FUNCTION find_oauth_access_token(text);
DROP TABLE oauth_client_assertions, oauth_consents, oauth_access_tokens, oauth_refresh_tokens, oauth_client_resources,
  oauth_resources, oauth_clients, sign_in_rates, verifications, accounts, sessions;
DROP FUNCTION oauth_access_tokens_tell_change();
DROP FUNCTION oauth_consents_end_tokens();
DROP TRIGGER users_end_sessions ON users;
DROP FUNCTION users_end_sessions();
DROP TRIGGER users_choose_role ON users;
DROP FUNCTION users_choose_role();
ALTER TABLE users DROP COLUMN is_active, DROP COLUMN role, DROP COLUMN image, DROP COLUMN email_verified;
