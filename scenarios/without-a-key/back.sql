DELETE FROM visit WHERE ctid = (SELECT ctid FROM visit WHERE page IS NULL LIMIT 1);
-- then
INSERT INTO visit VALUES ('back', now(), 1.25), ('back', now(), 1.25);
