BEGIN;
INSERT INTO big SELECT n, md5(n::text), 0 FROM generate_series(10001, 50000) n;
SAVEPOINT a;
DELETE FROM big WHERE id % 2 = 0;
ROLLBACK TO a;
UPDATE big SET n = n + 1 WHERE id % 3 = 0;
SAVEPOINT b;
INSERT INTO big SELECT n, 'gone', 0 FROM generate_series(60001, 65000) n;
ROLLBACK TO b;
DELETE FROM big WHERE id BETWEEN 20000 AND 20999;
COMMIT;
-- then
BEGIN; INSERT INTO big VALUES (-1, 'prepared', 0); PREPARE TRANSACTION 'large-transaction'; 
-- then
COMMIT PREPARED 'large-transaction';
