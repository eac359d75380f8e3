DROP TABLE audit;

DROP FUNCTION audit_stays_as_it_is;

DROP INDEX users_disabled;

DROP INDEX users_by_updated_at;

DROP INDEX users_by_created_at;

DROP INDEX users_by_name;

ALTER TABLE users DROP COLUMN email;

ALTER TABLE users DROP COLUMN name;
