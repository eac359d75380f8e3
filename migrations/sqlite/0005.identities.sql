-- Whose account it is: which account at a provider (CAS, OpenID Connect) signs in which user.

CREATE TABLE identities (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    PRIMARY KEY (provider, subject)
);

CREATE INDEX identities_by_user ON identities (user_id);

-- Which of our sessions a session at a provider opened, until the last token of ours has expired.
-- `handle` is what the provider names its session by when it ends it: for CAS the SHA-256 of the
-- ticket, for OpenID Connect the claim `sid`; NULL if it gave none. `hint` is what signing out there
-- needs (an ID token); '' for nothing.
CREATE TABLE provider_sessions (
    sid TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    handle TEXT,
    subject TEXT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hint TEXT NOT NULL,
    until INTEGER NOT NULL
);

CREATE INDEX provider_sessions_by_handle ON provider_sessions (provider, handle);

CREATE INDEX provider_sessions_by_subject ON provider_sessions (provider, subject);

CREATE INDEX provider_sessions_by_user ON provider_sessions (user_id);

CREATE INDEX provider_sessions_by_until ON provider_sessions (until);

-- Logout tokens of OpenID providers that were taken, by their `jti`, for as long as they could be
-- said again.
CREATE TABLE logout_tokens (
    provider TEXT NOT NULL,
    jti TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (provider, jti)
);

CREATE INDEX logout_tokens_by_until ON logout_tokens (until);
