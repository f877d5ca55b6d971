UPDATE "My Schema"."Table ""with"" quotes" SET "Ümläut☃" = 'a b', "a.b" = NULL WHERE "Select" % 2 = 0;
DELETE FROM "my.dotted" WHERE k LIKE '%7';
INSERT INTO abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789 VALUES (99, 'x');
INSERT INTO "Schema ""63"" éééééééééééééééééééééééééx"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" SELECT FROM generate_series(1, 10);
UPDATE "My Schema"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" SET "n ""o"" te" = 'it''s "new"' WHERE "Seq abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij 12345678" % 2 = 0;
DELETE FROM "My Schema"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" WHERE "Seq abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij 12345678" % 3 = 0;
