-- Up Migration
-- The secrets that open instances: `cfi_…` in a header, `cfu_…` in a URL for who opted in. Only their SHA-256 is kept.

CREATE TABLE instance_tokens (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  instance_id varchar(100) NOT NULL,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('bearer', 'url')),
  secret_hash bytea NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  scopes text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'call']),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  -- Both columns: a token for another user's instance can't be written, and the refusal is the same as for none.
  FOREIGN KEY (instance_id, user_id) REFERENCES user_service_instances (instance_id, user_id)
    ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX instance_tokens_instance_id_idx ON instance_tokens (instance_id);
CREATE INDEX instance_tokens_user_id_idx ON instance_tokens (user_id);

-- Down Migration
DROP TABLE instance_tokens;
