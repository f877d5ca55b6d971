BEGIN; INSERT INTO employee VALUES (100, NULL, 101), (101, NULL, 100); COMMIT;
-- then
DELETE FROM badge WHERE id < 5;
UPDATE badge SET employee_id = 100 WHERE id = 10;
-- then
UPDATE employee SET manager_id = NULL WHERE manager_id = 30; UPDATE department SET head_id = NULL WHERE head_id = 30; DELETE FROM employee WHERE id = 30;
-- then
UPDATE employee SET department_id = NULL WHERE department_id = 5; DELETE FROM department WHERE id = 5;
