-- Up Migration
-- What was done by whom. Rows are added by record_audit (013) and changed by nobody.

CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- No reference: the trail outlives the user.
  user_id uuid,
  actor text NOT NULL,
  action text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
  subject text NOT NULL CHECK (length(subject) <= 500),
  details jsonb NOT NULL DEFAULT '{}',
  outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
  source_ip inet
);
CREATE INDEX audit_log_user_id_idx ON audit_log (user_id, id DESC);
CREATE INDEX audit_log_at_idx ON audit_log USING brin (at);

CREATE FUNCTION audit_log_refuse_change() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
REVOKE ALL ON FUNCTION audit_log_refuse_change() FROM PUBLIC;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();

-- Down Migration
DROP TABLE audit_log;
DROP FUNCTION audit_log_refuse_change();
