DROP TABLE attempt_limits;

DROP TABLE passwords;
