INSERT INTO log (line) VALUES ('before'); TRUNCATE log; INSERT INTO log (line) VALUES ('after');
-- then
TRUNCATE parent RESTART IDENTITY CASCADE;
INSERT INTO parent (v) VALUES ('first'), ('second'); INSERT INTO child VALUES (1, 1);
