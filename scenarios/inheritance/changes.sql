UPDATE vehicle SET wheels = wheels + 2 WHERE id % 5 = 0;
DELETE FROM lorry WHERE id % 9 = 0;
INSERT INTO tanker VALUES (300, 'new', 10, 1, 'oil');
