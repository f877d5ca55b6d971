-- Up Migration
-- The tables of shared instances. Different from the first design: times are timestamptz, usage is partitioned by month
-- from the start, an instance knows the kind and state of its credential.

CREATE TABLE service_registry (
  service_type varchar(50) PRIMARY KEY,
  name varchar(100) NOT NULL,
  display_name varchar(100) NOT NULL,
  description text,
  icon_url varchar(500),
  category varchar(100),
  port integer UNIQUE NOT NULL,
  base_url varchar(255),
  health_check_endpoint varchar(255) DEFAULT '/health',
  auth_type varchar(50) DEFAULT 'api_key',
  auth_config jsonb DEFAULT '{}',
  service_config jsonb DEFAULT '{}',
  is_available boolean DEFAULT true,
  created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_service_registry_category ON service_registry (category);
CREATE INDEX idx_service_registry_available ON service_registry (is_available);

CREATE TABLE user_service_instances (
  instance_id varchar(100) PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  service_type varchar(50) NOT NULL REFERENCES service_registry (service_type),
  -- Sealed by the vault: the key, the password or the access token; for credential_kind 'legacy' as the old platform left it.
  encrypted_api_key text NOT NULL,
  -- { name: sealed text }
  encrypted_additional_credentials jsonb DEFAULT '{}',
  is_active boolean DEFAULT true,
  config jsonb DEFAULT '{}',
  created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz DEFAULT CURRENT_TIMESTAMP,
  last_used_at timestamptz,
  usage_count integer DEFAULT 0,
  credential_kind text NOT NULL DEFAULT 'api_key' CHECK (credential_kind ~ '^[a-z][a-z0-9_]{0,30}$'),
  -- Grows with every replaced credential, so that what was made with an older one is noticed.
  credential_version integer NOT NULL DEFAULT 1,
  credential_state text NOT NULL DEFAULT 'active' CHECK (credential_state IN ('active', 'needs_authorization')),
  account_label text,
  token_expires_at timestamptz,
  UNIQUE (user_id, service_type),
  -- For references that must name the right user as well.
  UNIQUE (instance_id, user_id),
  -- An id belongs to its user's part of the names: nobody can take another's, or learn from a refusal that it exists.
  CONSTRAINT user_service_instances_id_of_user CHECK (
    instance_id ~ '^[a-z0-9-]{1,3}_user_[0-9a-f]{8}_[0-9a-f]{6,32}$'
    AND split_part(instance_id, '_user_', 2) LIKE left(user_id::text, 8) || '\_%'
  )
);
CREATE INDEX idx_user_service_instances_user_id ON user_service_instances (user_id);
CREATE INDEX idx_user_service_instances_service_type ON user_service_instances (service_type);
CREATE INDEX idx_user_service_instances_active ON user_service_instances (is_active);
CREATE INDEX idx_user_service_instances_last_used ON user_service_instances (last_used_at);

-- Which data keys an instance's secrets are sealed under; kept by a trigger. The reference is what makes it safe to
-- drop a retired key: the database refuses while anything needs it, and refuses secrets under a key that is gone.
CREATE TABLE instance_data_keys (
  instance_id varchar(100) NOT NULL REFERENCES user_service_instances (instance_id) ON DELETE CASCADE ON UPDATE CASCADE,
  -- Looked at when a transaction ends: a user who goes takes keys and instances along, in whichever order.
  data_key_id text NOT NULL REFERENCES data_keys (id) DEFERRABLE INITIALLY DEFERRED,
  PRIMARY KEY (data_key_id, instance_id)
);
CREATE INDEX instance_data_keys_instance_id_idx ON instance_data_keys (instance_id);

CREATE FUNCTION data_key_ids_of(p_encrypted_api_key text, p_additional jsonb) RETURNS SETOF text
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT split_part(sealed, '.', 2)
  FROM (
    SELECT p_encrypted_api_key
    UNION ALL
    SELECT entry.value
    FROM jsonb_each_text(CASE WHEN jsonb_typeof(p_additional) = 'object' THEN p_additional ELSE '{}' END) entry
  ) secrets (sealed)
  WHERE sealed LIKE 'v1.%'
$$;

CREATE FUNCTION user_service_instances_refer_to_keys() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM public.instance_data_keys r
    WHERE r.instance_id = NEW.instance_id AND r.data_key_id NOT IN (
      SELECT public.data_key_ids_of(NEW.encrypted_api_key, NEW.encrypted_additional_credentials));
  END IF;
  INSERT INTO public.instance_data_keys (instance_id, data_key_id)
  SELECT NEW.instance_id, id
  FROM public.data_key_ids_of(NEW.encrypted_api_key, NEW.encrypted_additional_credentials) AS id
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
CREATE TRIGGER user_service_instances_keys_insert AFTER INSERT ON user_service_instances
  FOR EACH ROW WHEN (NEW.encrypted_api_key LIKE 'v1.%' OR NEW.encrypted_additional_credentials <> '{}') EXECUTE FUNCTION user_service_instances_refer_to_keys();
CREATE TRIGGER user_service_instances_keys_update AFTER UPDATE ON user_service_instances
  FOR EACH ROW WHEN (
    (OLD.encrypted_api_key, OLD.encrypted_additional_credentials)
    IS DISTINCT FROM (NEW.encrypted_api_key, NEW.encrypted_additional_credentials)
  ) EXECUTE FUNCTION user_service_instances_refer_to_keys();

CREATE TABLE service_health_status (
  service_type varchar(50) PRIMARY KEY REFERENCES service_registry (service_type),
  is_healthy boolean DEFAULT true,
  last_health_check timestamptz DEFAULT CURRENT_TIMESTAMP,
  response_time_ms integer,
  error_message text,
  consecutive_failures integer DEFAULT 0,
  uptime_percentage decimal(5, 2) DEFAULT 100.00,
  created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_service_health_status_healthy ON service_health_status (is_healthy);
CREATE INDEX idx_service_health_status_last_check ON service_health_status (last_health_check);

-- The first design's PRIMARY KEY (id) can't be: a key of a partitioned table holds the column that it is partitioned by.
CREATE TABLE service_usage_analytics (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  service_type varchar(50) NOT NULL REFERENCES service_registry (service_type),
  instance_id varchar(100) NOT NULL,
  endpoint varchar(255),
  -- Ten characters in the first design; MCP's own methods are longer.
  method varchar(64),
  status_code integer,
  response_time_ms integer,
  error_message text,
  "timestamp" timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  created_date date GENERATED ALWAYS AS (("timestamp" AT TIME ZONE 'UTC')::date) STORED,
  PRIMARY KEY (id, "timestamp")
) PARTITION BY RANGE ("timestamp");
CREATE INDEX idx_service_usage_analytics_user_service ON service_usage_analytics (user_id, service_type);
CREATE INDEX idx_service_usage_analytics_timestamp ON service_usage_analytics ("timestamp");
CREATE INDEX idx_service_usage_analytics_service_type ON service_usage_analytics (service_type);
CREATE TABLE service_usage_analytics_default PARTITION OF service_usage_analytics DEFAULT;

CREATE TABLE api_key_validation_cache (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  service_type varchar(50) NOT NULL REFERENCES service_registry (service_type),
  key_hash varchar(255) NOT NULL,
  is_valid boolean NOT NULL,
  validated_at timestamptz DEFAULT CURRENT_TIMESTAMP,
  expires_at timestamptz,
  validation_response jsonb DEFAULT '{}',
  PRIMARY KEY (user_id, service_type, key_hash)
);
CREATE INDEX idx_api_key_validation_cache_expires ON api_key_validation_cache (expires_at);

REVOKE ALL ON FUNCTION data_key_ids_of(text, jsonb), user_service_instances_refer_to_keys() FROM PUBLIC;

-- Down Migration
DROP TABLE api_key_validation_cache, service_usage_analytics, service_health_status, instance_data_keys,
  user_service_instances, service_registry;
DROP FUNCTION user_service_instances_refer_to_keys(), data_key_ids_of(text, jsonb);
