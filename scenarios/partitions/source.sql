-- D19: partitioned tables by range, list and hash, with sub-partitions and a default; rows that move between partitions
CREATE TABLE event (id bigint GENERATED ALWAYS AS IDENTITY, at date NOT NULL, kind text NOT NULL, body text, PRIMARY KEY (id, at, kind)) PARTITION BY RANGE (at);
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (kind);
CREATE TABLE event_2026_a PARTITION OF event_2026 FOR VALUES IN ('a');
CREATE TABLE event_2026_rest PARTITION OF event_2026 DEFAULT;
CREATE TABLE event_other PARTITION OF event DEFAULT;
CREATE INDEX event_by_body ON event (body);
CREATE TABLE spread (id integer PRIMARY KEY, v text) PARTITION BY HASH (id);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE spread_2 PARTITION OF spread FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO event (at, kind, body) SELECT date '2024-11-01' + n, (ARRAY['a', 'b', 'c'])[1 + n % 3], 'body ' || n FROM generate_series(1, 700) n;
INSERT INTO spread SELECT n, 'v' || n FROM generate_series(1, 500) n;
