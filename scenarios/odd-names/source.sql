-- DM-03: names with quotes, spaces, capitals, keywords, unicode and 63 bytes
CREATE SCHEMA "My Schema";
CREATE TYPE "My Schema"."Weird ""Type""" AS ENUM ('a b', 'it''s');
CREATE TABLE "My Schema"."Table ""with"" quotes" ("Select" integer PRIMARY KEY, "col umn" text, "Ümläut☃" "My Schema"."Weird ""Type""" DEFAULT 'a b', "order" text, "a.b" integer);
CREATE TABLE "my.dotted" ("k" text PRIMARY KEY, v text);
CREATE TABLE abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789 (abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789 integer PRIMARY KEY, "user" text);
CREATE INDEX "Index with 'quotes'" ON "My Schema"."Table ""with"" quotes" ("order");
INSERT INTO "My Schema"."Table ""with"" quotes" SELECT n, 'c' || n, 'it''s', 'o' || n, n FROM generate_series(1, 80) n;
INSERT INTO "my.dotted" SELECT 'k''' || n, E'v\\' || n FROM generate_series(1, 50) n;
INSERT INTO abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789 SELECT n, 'u' FROM generate_series(1, 30) n;
