INSERT INTO "my.dotted" VALUES ('"back"', 'target'), ('k;''--', NULL);
UPDATE "My Schema"."Table ""with"" quotes" SET "Select" = "Select" + 500 WHERE "Select" < 5;
