-- DM-03: inheritance: the parent's own rows and each child's, with columns of their own
CREATE TABLE vehicle (id integer PRIMARY KEY, name text NOT NULL, wheels integer CHECK (wheels >= 0));
CREATE TABLE lorry (load numeric, PRIMARY KEY (id)) INHERITS (vehicle);
CREATE TABLE tanker (liquid text, PRIMARY KEY (id)) INHERITS (lorry);
INSERT INTO vehicle SELECT n, 'v' || n, 4 FROM generate_series(1, 50) n;
INSERT INTO lorry SELECT n, 'l' || n, 6, n * 1.5 FROM generate_series(101, 150) n;
INSERT INTO tanker SELECT n, 't' || n, 8, n, 'milk' FROM generate_series(201, 250) n;
