DROP TABLE audit;

DROP TRIGGER user_search_update;

DROP TRIGGER user_search_delete;

DROP TRIGGER user_search_insert;

DROP TABLE user_search;

DROP INDEX users_disabled;

DROP INDEX users_by_updated_at;

DROP INDEX users_by_created_at;

DROP INDEX users_by_name;

ALTER TABLE users DROP COLUMN email;

ALTER TABLE users DROP COLUMN name;
