UPDATE seat SET label = CASE label WHEN 's1' THEN 's2' WHEN 's2' THEN 's1' ELSE label END WHERE label IN ('s1', 's2');
-- then
UPDATE rank SET place = -1 WHERE id = 1; UPDATE rank SET place = 1 WHERE id = 2; UPDATE rank SET place = 2 WHERE id = 1;
-- then
DELETE FROM seat WHERE id = 5; INSERT INTO seat VALUES (5, 'again'); UPDATE seat SET id = 500 WHERE id = 5; INSERT INTO seat VALUES (5, 'third');
-- then
UPDATE seat SET id = id + 1000; UPDATE seat SET id = id - 999 WHERE id % 2 = 0;
-- then
UPDATE rank SET place = place + 1000; UPDATE rank SET place = -place; UPDATE rank SET place = 1101 + place;
