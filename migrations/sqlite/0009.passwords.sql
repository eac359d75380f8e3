-- Passwords as Argon2id hashes in the PHC string format. The password itself is never stored.

CREATE TABLE passwords (
    user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    changed_at TEXT NOT NULL
);

-- Failed sign-ins. `kind` is account, network or device; `subject` is a network, or the SHA-256 of a
-- user name or device. Attempts are refused until `blocked_until`; from `expires_at` on, the count
-- starts again. Both are seconds since 1970, by the database's clock.

CREATE TABLE attempt_limits (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    failures INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
);

CREATE INDEX attempt_limits_by_user ON attempt_limits (user_id);

CREATE INDEX attempt_limits_by_expires_at ON attempt_limits (expires_at);

CREATE INDEX attempt_limits_by_blocked_until ON attempt_limits (blocked_until);
