-- Search in many users: each row has its case-folded search text (service/db/casefold.py), so that
-- rows can be checked without the index. Enabled users may also be the minority. Names often start
-- like user names, so the index by name contains the user name.

DROP TRIGGER user_search_update;

DROP TRIGGER user_search_delete;

DROP TRIGGER user_search_insert;

DROP TABLE user_search;

DROP INDEX users_disabled;

ALTER TABLE users ADD COLUMN search TEXT NOT NULL DEFAULT '';

UPDATE users SET search = fold(username || char(10) || name || char(10) || email);

DROP INDEX users_by_name;

CREATE INDEX users_by_name ON users (name, id, username);

CREATE INDEX users_by_disabled ON users (disabled, id);

CREATE VIRTUAL TABLE user_search USING fts5 (
    search, content = 'users', content_rowid = 'id', tokenize = 'trigram case_sensitive 1'
);

INSERT INTO user_search (user_search) VALUES ('rebuild');

CREATE TRIGGER user_search_insert AFTER INSERT ON users BEGIN
    INSERT INTO user_search (rowid, search) VALUES (new.id, new.search);
END;

CREATE TRIGGER user_search_delete AFTER DELETE ON users BEGIN
    INSERT INTO user_search (user_search, rowid, search) VALUES ('delete', old.id, old.search);
END;

CREATE TRIGGER user_search_update AFTER UPDATE OF search ON users BEGIN
    INSERT INTO user_search (user_search, rowid, search) VALUES ('delete', old.id, old.search);
    INSERT INTO user_search (rowid, search) VALUES (new.id, new.search);
END;
