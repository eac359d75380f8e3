-- Identities: accounts at providers (CAS, OpenID Connect) that are linked to users.

CREATE TABLE identities (
    provider TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (provider, subject)
);

CREATE INDEX identities_by_user ON identities (user_id);

-- The provider session of each session, until the last token of the session has expired.
-- `handle` identifies the provider session in logouts: the SHA-256 of the CAS ticket, or the claim
-- `sid` of OpenID Connect; NULL if there is none. `hint` is the value for a sign-out at the provider
-- (an ID token), or ''.
CREATE TABLE provider_sessions (
    sid TEXT COLLATE "C" PRIMARY KEY,
    provider TEXT COLLATE "C" NOT NULL,
    handle TEXT COLLATE "C",
    subject TEXT COLLATE "C" NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hint TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL
);

CREATE INDEX provider_sessions_by_handle ON provider_sessions (provider, handle);

CREATE INDEX provider_sessions_by_subject ON provider_sessions (provider, subject);

CREATE INDEX provider_sessions_by_user ON provider_sessions (user_id);

CREATE INDEX provider_sessions_by_until ON provider_sessions (until);

-- Used logout tokens of OpenID providers, by `jti`, until they expire.
CREATE TABLE logout_tokens (
    provider TEXT COLLATE "C" NOT NULL,
    jti TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (provider, jti)
);

CREATE INDEX logout_tokens_by_until ON logout_tokens (until);
