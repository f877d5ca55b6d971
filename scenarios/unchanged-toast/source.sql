-- D08: an unchanged TOAST value survives updates, key changes, and the way back
CREATE TABLE article (id integer PRIMARY KEY, title text NOT NULL, body text, extra bytea);
INSERT INTO article SELECT n, 'title ' || n, (SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 400) i), decode(repeat(md5(n::text), 200), 'hex') FROM generate_series(1, 40) n;
