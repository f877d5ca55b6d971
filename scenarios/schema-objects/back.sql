UPDATE room SET name = 'Suite ' || id WHERE id % 7 = 0;
DELETE FROM booking WHERE id IN (500, 3);
