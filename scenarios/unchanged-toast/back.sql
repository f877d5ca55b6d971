UPDATE article SET title = 'back ' || id WHERE id BETWEEN 21 AND 30;
-- then
UPDATE article SET id = id + 2000 WHERE id BETWEEN 31 AND 35;
