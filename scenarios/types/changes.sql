INSERT INTO everything SELECT 100, b, i2, i8, n, n2, f4, f8, c, v, t, by, ts, tz, d, ti, tt, iv, u, j, jb, x, ip, ci, mac, mac8, bi, vb, pt, ln, ls, bx, pa, po, ci2, ts2, tq, mo, e, ea, dm, da, cp, ca, ia, ta, na, r4, rn, rt, rd, rf, mr, o, nm, lsn FROM everything WHERE id = 2;
UPDATE everything SET n = '1.10', jb = '{"z": 1.0}', j = '{ "z":1 }', e = 'sad', cp = ROW(0, '-0', ''), rt = NULL, ta = '{}' WHERE id IN (1, 2);
-- then
UPDATE everything SET f8 = 'NaN', f4 = 'Infinity', tz = tz + interval '1 microsecond', t = '' WHERE id > 50;
DELETE FROM everything WHERE id = 3;
