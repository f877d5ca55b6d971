-- DM-03 D01: every built-in family of types, enums, domains, composites, arrays, ranges, with their odd values
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TYPE point3 AS (x double precision, y double precision, label text);
CREATE TYPE floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TABLE everything (
  id integer PRIMARY KEY,
  b boolean, i2 smallint, i8 bigint, n numeric, n2 numeric(20, 5), f4 real, f8 double precision,
  c char(8), v varchar(20), t text, by bytea, ts timestamp, tz timestamptz, d date, ti time, tt timetz, iv interval,
  u uuid, j json, jb jsonb, x xml, ip inet, ci cidr, mac macaddr, mac8 macaddr8, bi bit(5), vb bit varying(9),
  pt point, ln line, ls lseg, bx box, pa path, po polygon, ci2 circle, ts2 tsvector, tq tsquery, mo money,
  e mood, ea mood[], dm positive, da positive[], cp point3, ca point3[], ia integer[], ta text[], na numeric[],
  r4 int4range, rn numrange, rt tstzrange, rd daterange, rf floatrange, mr int4multirange, o oid, nm name, lsn pg_lsn
);
INSERT INTO everything (id) VALUES (1);
INSERT INTO everything VALUES (
  2, true, -32768, 9223372036854775807, 'NaN', 123456789012345.12345, '-0', 'Infinity',
  'ab', '', E'tab\t newline\n backslash\\ quote'' unicode ☃ 𝄞', '\x00ff5c0a', 'infinity', '-infinity', '4713-01-01 BC', '24:00', '00:00:00.000001+15:59', '-178000000 years 1 mon -3 days 04:05:06.000007',
  'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"b": 1,  "a": [1.0, null], "b": 2}', '{"b": 1.0, "a": "\u00e9"}', '<a href="x">y</a>', '::ffff:1.2.3.4/128', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '10101', '101',
  '(1e-300,-0)', '{1,-1,0}', '[(0,0),(1,1)]', '(2,2),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),3.5>', 'fat:2A cat:1B', 'fat & (cat | !rat)', '-92233720368547758.08',
  'happy', '{sad,NULL,happy}', 7, '{1,2}', '(1.5,,"a ""quoted"", label")', ARRAY[ROW(1, 2, NULL)::point3, NULL], '[-1:1]={1,NULL,3}', '{"NULL",NULL,"","a,b","{}"}', '{1.0,1.00,NaN}',
  '[1,5)', '(,1.10]', '["2026-01-01 00:00:00+00",)', 'empty', '[1.5,2.5]', '{[1,3),[5,9)}', 4294967295, 'a name', 'FFFFFFFF/FFFFFFFE'
);
INSERT INTO everything (id, n, n2, f4, f8, t, iv, ia) SELECT n, n / 7.0, n / 3.0, n / 7.0::real, n / 7.0::float8, repeat(chr(97 + n % 26), n * 37), n * interval '1 day 0.5 second', ARRAY[[n, n], [n + 1, NULL]] FROM generate_series(3, 60) n;
