UPDATE "My Schema"."Table ""with"" quotes" SET "Ümläut☃" = 'a b', "a.b" = NULL WHERE "Select" % 2 = 0;
DELETE FROM "my.dotted" WHERE k LIKE '%7';
INSERT INTO abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_123456789 VALUES (99, 'x');
