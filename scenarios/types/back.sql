INSERT INTO everything (id, jb, na, ca, mr, by) VALUES (200, '[1, 1.0, 1.00]', '{0.10}', ARRAY[ROW('NaN', 1, 'x')::point3], '{}', '\x');
UPDATE everything SET v = NULL, c = 'z', bi = '00000', iv = '1 mon' WHERE id = 100;
