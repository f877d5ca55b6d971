-- DM-03 D20: key changes, swaps of unique values, chains of updates to one key, and re-used keys
CREATE TABLE seat (id integer PRIMARY KEY, label text NOT NULL, CONSTRAINT seat_label UNIQUE (label) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE rank (id integer PRIMARY KEY, place integer UNIQUE, who text);
INSERT INTO seat SELECT n, 's' || n FROM generate_series(1, 100) n;
INSERT INTO rank SELECT n, n, 'w' || n FROM generate_series(1, 100) n;
