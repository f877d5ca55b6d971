UPDATE rank SET place = place + 5000; UPDATE rank SET place = -place; UPDATE rank SET place = place + 10101;
-- then
UPDATE seat SET id = -id;
