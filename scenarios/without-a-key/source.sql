-- DM-03: a table without identity, with equal rows, is moved row for row
CREATE TABLE visit (page text, at timestamptz, seconds real);
INSERT INTO visit SELECT 'p' || n % 7, timestamptz '2026-01-01 00:00+00' + (n % 5) * interval '1 hour', (n % 3)::real FROM generate_series(1, 300) n;
INSERT INTO visit VALUES (NULL, NULL, NULL), (NULL, NULL, NULL);
