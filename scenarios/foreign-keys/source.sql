-- DM-03: foreign keys in cycles, to oneself, deferrable, ON DELETE CASCADE and SET NULL, with triggers that must not fire twice
CREATE TABLE department (id integer PRIMARY KEY, head_id integer, name text);
CREATE TABLE employee (id integer PRIMARY KEY, department_id integer REFERENCES department ON DELETE SET NULL, manager_id integer REFERENCES employee DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE department ADD FOREIGN KEY (head_id) REFERENCES employee DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE badge (id integer PRIMARY KEY, employee_id integer NOT NULL REFERENCES employee ON DELETE CASCADE);
CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit (what) VALUES (tg_op || ' ' || coalesce(NEW.id, OLD.id)); RETURN NULL; END $$;
BEGIN;
INSERT INTO department SELECT n, n * 10, 'd' || n FROM generate_series(1, 5) n;
INSERT INTO employee SELECT n, 1 + n % 5, CASE WHEN n > 1 THEN n / 2 END FROM generate_series(1, 60) n;
COMMIT;
INSERT INTO badge SELECT n, n FROM generate_series(1, 60) n;
CREATE TRIGGER badge_note AFTER INSERT OR UPDATE OR DELETE ON badge FOR EACH ROW EXECUTE FUNCTION note();
