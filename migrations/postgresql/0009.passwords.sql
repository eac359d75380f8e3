-- Passwords as Argon2id hashes in the PHC string format. The password itself is never stored.

CREATE TABLE passwords (
    user_id BIGINT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash TEXT COLLATE "C" NOT NULL,
    changed_at TEXT COLLATE "C" NOT NULL
);

-- Failed sign-ins. `kind` is account, network or device; `subject` is a network, or the SHA-256 of a
-- user name or device. Attempts are refused until `blocked_until`; from `expires_at` on, the count
-- starts again. Both are seconds since 1970, by the database's clock.

CREATE TABLE attempt_limits (
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
    failures BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (kind, subject)
);

CREATE INDEX attempt_limits_by_user ON attempt_limits (user_id);

CREATE INDEX attempt_limits_by_expires_at ON attempt_limits (expires_at);

CREATE INDEX attempt_limits_by_blocked_until ON attempt_limits (blocked_until);
