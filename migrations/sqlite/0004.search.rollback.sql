DROP TRIGGER user_search_update;

DROP TRIGGER user_search_delete;

DROP TRIGGER user_search_insert;

DROP TABLE user_search;

DROP INDEX users_by_disabled;

DROP INDEX users_by_name;

CREATE INDEX users_by_name ON users (name, id);

ALTER TABLE users DROP COLUMN search;

CREATE INDEX users_disabled ON users (id) WHERE disabled = 1;

CREATE VIRTUAL TABLE user_search USING fts5 (
    username, name, email, content = 'users', content_rowid = 'id', tokenize = 'trigram'
);

INSERT INTO user_search (user_search) VALUES ('rebuild');

CREATE TRIGGER user_search_insert AFTER INSERT ON users BEGIN
    INSERT INTO user_search (rowid, username, name, email)
    VALUES (new.id, new.username, new.name, new.email);
END;

CREATE TRIGGER user_search_delete AFTER DELETE ON users BEGIN
    INSERT INTO user_search (user_search, rowid, username, name, email)
    VALUES ('delete', old.id, old.username, old.name, old.email);
END;

CREATE TRIGGER user_search_update AFTER UPDATE OF username, name, email ON users BEGIN
    INSERT INTO user_search (user_search, rowid, username, name, email)
    VALUES ('delete', old.id, old.username, old.name, old.email);
    INSERT INTO user_search (rowid, username, name, email)
    VALUES (new.id, new.username, new.name, new.email);
END;
