-- Passkeys (WebAuthn). `credential_id`, `public_key` (a COSE key) and `user_handle` are base64url.
-- `transports` are words, separated by blanks. Flags are 0 or 1.

CREATE TABLE passkeys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_handle TEXT NOT NULL,
    credential_id TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL,
    sign_count INTEGER NOT NULL,
    backup_eligible INTEGER NOT NULL,
    backed_up INTEGER NOT NULL,
    aaguid TEXT NOT NULL,
    transports TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT
);

CREATE INDEX passkeys_by_user ON passkeys (user_id);

-- Used challenges, by their SHA-256, until long after they have expired. `until` is in seconds since
-- 1970, by the database's clock.

CREATE TABLE used_challenges (
    hash TEXT PRIMARY KEY,
    until INTEGER NOT NULL
);

CREATE INDEX used_challenges_by_until ON used_challenges (until);
