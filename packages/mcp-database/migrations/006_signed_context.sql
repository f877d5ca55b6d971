-- Up Migration
-- Who the api role acts for. The role can set any setting, so a setting alone proves nothing: the context carries an
-- HMAC-SHA-256 (RFC 2104) over user, backend and transaction, made with a key that only the owner reads. It is worth
-- nothing in another transaction, on another connection, or for another user.
-- HMAC is built from sha256(), which is part of PostgreSQL, because pgcrypto is not installed everywhere.

CREATE TABLE context_secret (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  -- The key XOR 0x36… and XOR 0x5c…, as HMAC uses it.
  inner_pad bytea NOT NULL CHECK (length(inner_pad) = 64),
  outer_pad bytea NOT NULL CHECK (length(outer_pad) = 64)
);

DO $$
DECLARE
  -- 244 random bits of the server's strong generator, as 32 bytes, filled up to a block with zeros.
  key bytea := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) || decode(repeat('00', 32), 'hex');
  inner_pad bytea := key;
  outer_pad bytea := key;
BEGIN
  FOR place IN 0..63 LOOP
    inner_pad := set_byte(inner_pad, place, get_byte(key, place) # 54);
    outer_pad := set_byte(outer_pad, place, get_byte(key, place) # 92);
  END LOOP;
  INSERT INTO context_secret (inner_pad, outer_pad) VALUES (inner_pad, outer_pad);
END
$$;

-- The signature of a context of this user in this transaction of this backend. For the owner's functions alone.
CREATE FUNCTION sign_context(p_user_id uuid) RETURNS text LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  message bytea := convert_to(
    p_user_id::text || '/' || pg_backend_pid()::text || '/' ||
    extract(epoch FROM transaction_timestamp())::text || '/' ||
    extract(epoch FROM pg_postmaster_start_time())::text, 'UTF8');
  secret public.context_secret;
BEGIN
  SELECT * INTO STRICT secret FROM public.context_secret;
  RETURN encode(sha256(secret.outer_pad || sha256(secret.inner_pad || message)), 'hex');
END
$$;

-- The user whom the transaction acts for, or NULL. A context that was forged or brought from elsewhere counts as none.
CREATE FUNCTION current_user_id() RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  context text := current_setting('crossfade.context', true);
  claimed uuid;
BEGIN
  IF context IS NULL OR context !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9a-f]{64}$' THEN
    RETURN NULL;
  END IF;
  claimed := left(context, 36)::uuid;
  -- Digests of both are compared, so that the time it takes tells nothing of the signature.
  IF sha256(convert_to(right(context, 64), 'UTF8')) <> sha256(convert_to(public.sign_context(claimed), 'UTF8')) THEN
    RETURN NULL;
  END IF;
  RETURN claimed;
END
$$;

-- Begins to act for the user of a session; NULL, and nobody, when it opens nothing.
CREATE FUNCTION enter_session(p_token text) RETURNS uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered uuid;
BEGIN
  SELECT u.id INTO entered
  FROM public.sessions s JOIN public.users u ON u.id = s.user_id
  WHERE s.token = p_token AND s.expires_at > now() AND u.is_active;
  PERFORM set_config('crossfade.context', coalesce(entered::text || '/' || public.sign_context(entered), ''), true);
  RETURN entered;
END
$$;

-- Begins to act for the user of a personal API token, given by its SHA-256; NULL, and nobody, when it opens nothing.
CREATE FUNCTION enter_api_token(p_secret_hash bytea) RETURNS uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered uuid;
  token uuid;
BEGIN
  SELECT u.id, t.id INTO entered, token
  FROM public.api_tokens t JOIN public.users u ON u.id = t.user_id
  WHERE t.secret_hash = p_secret_hash AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
    AND u.is_active;
  PERFORM set_config('crossfade.context', coalesce(entered::text || '/' || public.sign_context(entered), ''), true);
  -- To the minute: requests side by side should not wait for one row.
  UPDATE public.api_tokens SET last_used_at = now()
  WHERE id = token AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');
  RETURN entered;
END
$$;

REVOKE ALL ON FUNCTION sign_context(uuid), current_user_id(), enter_session(text), enter_api_token(bytea) FROM PUBLIC;

-- Down Migration
DROP FUNCTION enter_api_token(bytea), enter_session(text), current_user_id(), sign_context(uuid);
DROP TABLE context_secret;
