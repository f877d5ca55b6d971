UPDATE article SET title = 'renamed ' || id WHERE id <= 10;
-- then
UPDATE article SET id = id + 1000 WHERE id BETWEEN 11 AND 15;
-- then
UPDATE article SET title = title || '!', extra = NULL WHERE id BETWEEN 16 AND 20;
UPDATE article SET title = title || '?' WHERE id BETWEEN 16 AND 20;
-- then
INSERT INTO article VALUES (5000, 'new', repeat('x', 30000), NULL);
UPDATE article SET title = 'newer' WHERE id = 5000;
