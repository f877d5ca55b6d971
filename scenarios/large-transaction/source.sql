-- DM-03 D15: one transaction larger than many batches, with savepoints that are rolled back inside it
CREATE TABLE big (id integer PRIMARY KEY, v text, n integer);
INSERT INTO big SELECT n, md5(n::text), n FROM generate_series(1, 1000) n;
