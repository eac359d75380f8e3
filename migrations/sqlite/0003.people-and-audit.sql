-- Names and e-mail addresses, indexes for sorting and searching, and the audit log.
-- `name` and `email` are '' if they are not set.

ALTER TABLE users ADD COLUMN name TEXT NOT NULL DEFAULT '';

ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT '';

CREATE INDEX users_by_name ON users (name, id);

CREATE INDEX users_by_created_at ON users (created_at, id);

CREATE INDEX users_by_updated_at ON users (updated_at, id);

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

-- The audit log: actor (`actor_id` is NULL for commands), action, target and client. Each row is
-- inserted in the transaction of its change, and cannot be changed.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor_id INTEGER,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target_id INTEGER,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    client TEXT,
    request_id TEXT
);

CREATE INDEX audit_by_target ON audit (target_id, id);

CREATE INDEX audit_by_action ON audit (action, id);

CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is only appended to');
END;

-- INSERT OR REPLACE deletes rows without firing the trigger below.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = new.id) BEGIN
    SELECT RAISE(ABORT, 'the audit is only appended to');
END;

CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is only appended to');
END;
