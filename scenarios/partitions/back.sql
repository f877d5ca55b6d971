UPDATE event SET at = at - 365, body = 'moved back' WHERE id % 13 = 0;
INSERT INTO spread VALUES (77777, 'target');
DELETE FROM spread WHERE id < 20;
