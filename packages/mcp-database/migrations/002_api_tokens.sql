-- Up Migration
-- A person's own tokens for the HTTP API: `cfp_…`, 32 random bytes, of which only the SHA-256 is kept.
CREATE TABLE api_tokens (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  secret_hash bytea NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
  scopes text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'write']),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX api_tokens_user_id_idx ON api_tokens (user_id);

-- For the accounts role: the platform mints a token for a user that it has just made sure of (a local installation's
-- owner); earlier ones of that name end. Anybody else goes through row-level security.
CREATE FUNCTION create_api_token_of(
  p_user_id uuid, p_name text, p_secret_hash bytea, p_scopes text[], p_expires_at timestamptz
) RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE public.api_tokens SET revoked_at = now() WHERE user_id = p_user_id AND name = p_name AND revoked_at IS NULL;
  INSERT INTO public.api_tokens (user_id, name, secret_hash, scopes, expires_at)
  VALUES (p_user_id, p_name, p_secret_hash, p_scopes, p_expires_at)
  RETURNING id
$$;
REVOKE ALL ON FUNCTION create_api_token_of(uuid, text, bytea, text[], timestamptz) FROM PUBLIC;

-- Down Migration
DROP FUNCTION create_api_token_of(uuid, text, bytea, text[], timestamptz);
DROP TABLE api_tokens;
