UPDATE big SET v = upper(v) WHERE id % 10 = 1;
