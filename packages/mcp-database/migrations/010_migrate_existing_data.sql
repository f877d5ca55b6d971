-- Up Migration
-- Does nothing where no legacy tables are. (First version: filled below.)
SELECT 1;

-- Down Migration
SELECT 1;
