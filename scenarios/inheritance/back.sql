UPDATE lorry SET name = 'on the target' WHERE id > 240;
INSERT INTO vehicle VALUES (60, 'own row', 3);
