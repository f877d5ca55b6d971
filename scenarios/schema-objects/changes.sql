UPDATE room SET name = 'Hall ' || id WHERE id % 5 = 0;
INSERT INTO booking VALUES (500, 2, '[2026-03-01,2026-03-02)', 'keep');
