-- One-time codes (RFC 6238). The secret is in Base32: computing a code needs it, so it cannot be
-- hashed. `last_step` is the time step of the last code that was used: that code and earlier ones
-- are refused.

CREATE TABLE totp (
    user_id BIGINT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret TEXT COLLATE "C" NOT NULL,
    last_step BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL
);

-- Set-ups that no code has confirmed yet. `expires_at` is in seconds since 1970, by the database's
-- clock.

CREATE TABLE totp_setups (
    user_id BIGINT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX totp_setups_by_expires_at ON totp_setups (expires_at);

-- Recovery codes, each as its SHA-256. A code that was used is deleted.

CREATE TABLE recovery_codes (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, hash)
);
