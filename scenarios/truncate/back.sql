TRUNCATE child; INSERT INTO child VALUES (7, 2); INSERT INTO log (line) VALUES ('target');
