-- Up Migration
-- What the database itself must know of the platform: `base_url` (of instance URLs in views), `catalog_digest`.

CREATE TABLE platform_settings (
  key text PRIMARY KEY CHECK (key ~ '^[a-z][a-z0-9_]*$'),
  value text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- Passwords of the login roles, so that processes that start one after the other agree on them. Only the owner reads it.
CREATE TABLE role_passwords (
  role_name text PRIMARY KEY,
  password text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- Down Migration
DROP TABLE role_passwords, platform_settings;
