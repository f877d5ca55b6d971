INSERT INTO "my.dotted" VALUES ('"back"', 'target'), ('k;''--', NULL);
UPDATE "My Schema"."Table ""with"" quotes" SET "Select" = "Select" + 500 WHERE "Select" < 5;
INSERT INTO "Schema ""63"" éééééééééééééééééééééééééx"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" DEFAULT VALUES;
INSERT INTO "My Schema"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" SELECT "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" FROM "Schema ""63"" éééééééééééééééééééééééééx"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ORDER BY 1 DESC LIMIT 1;
