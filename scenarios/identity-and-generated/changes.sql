INSERT INTO invoice (net, note) VALUES (1000, 'later'), (2000, 'later');
UPDATE invoice SET net = net + 1 WHERE id % 3 = 0;
DELETE FROM invoice WHERE id % 17 = 0;
INSERT INTO counter (label) VALUES ('later');
-- then
INSERT INTO invoice (id, net, note) OVERRIDING SYSTEM VALUE VALUES (900, 9, 'overridden');
