INSERT INTO invoice (net, note) VALUES (5, 'on the target');
UPDATE invoice SET rate = 0.07 WHERE note = 'later';
INSERT INTO counter (label) VALUES ('on the target');
