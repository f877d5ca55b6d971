INSERT INTO visit VALUES ('p1', '2026-01-01 01:00+00', 1), ('p1', '2026-01-01 01:00+00', 1), (NULL, NULL, NULL);
-- then
DELETE FROM visit WHERE ctid = (SELECT ctid FROM visit WHERE page = 'p2' LIMIT 1);
-- then
UPDATE visit SET seconds = 9.5 WHERE ctid IN (SELECT ctid FROM visit WHERE page = 'p3' LIMIT 2);
