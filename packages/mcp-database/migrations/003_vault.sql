-- Up Migration
-- Where the vault keeps its data keys: never a key as it is, always wrapped by a key-encryption key that no database knows.

CREATE TABLE data_keys (
  id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{8,64}$'),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  key_encryption_key_id text NOT NULL,
  wrapped_key bytea NOT NULL,
  -- New secrets are sealed under a user's current key; a retired one still opens what was sealed before.
  state text NOT NULL DEFAULT 'current' CHECK (state IN ('current', 'retired')),
  -- How many secrets were sealed under it: the number of random IVs that one AES-GCM key may see is limited.
  seals bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  rewrapped_at timestamptz,
  retired_at timestamptz,
  CHECK ((state = 'retired') = (retired_at IS NOT NULL))
);
CREATE UNIQUE INDEX data_keys_current_idx ON data_keys (user_id) WHERE state = 'current';
CREATE INDEX data_keys_user_id_idx ON data_keys (user_id);
CREATE INDEX data_keys_key_encryption_key_id_idx ON data_keys (key_encryption_key_id, id);
CREATE INDEX data_keys_retired_idx ON data_keys (retired_at) WHERE state = 'retired';

-- A known value wrapped by each key-encryption key that was ever used here: a wrong master key is noticed at the start
-- of a process, and not at the first secret that it can't open.
CREATE TABLE key_checks (
  key_encryption_key_id text PRIMARY KEY,
  wrapped_value bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- Down Migration
DROP TABLE key_checks, data_keys;
