UPDATE event SET at = at + 400 WHERE id % 5 = 0;
UPDATE event SET kind = 'a' WHERE id % 7 = 0;
DELETE FROM event_2026_a WHERE id % 11 = 0;
INSERT INTO event_2025 (id, at, kind, body) VALUES (9999, '2025-06-01', 'z', 'through the leaf');
-- then
UPDATE spread SET id = id + 10000 WHERE id % 10 = 0;
-- then
TRUNCATE spread;
INSERT INTO spread SELECT n, 'again ' || n FROM generate_series(1, 300) n;
UPDATE spread SET id = id + 10000 WHERE id % 10 = 0;
