-- Used answers of providers: each can start a session once, over all processes. `hash` is the SHA-256
-- of the attempt's ID or of a CAS ticket. `until` (seconds since 1970, by the database's clock) is
-- long after the answer can be used.

CREATE TABLE used_answers (
    provider TEXT NOT NULL,
    hash TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (provider, hash)
);

CREATE INDEX used_answers_by_until ON used_answers (until);

-- Recent logouts at providers, kept for some minutes: one may arrive before its session has started.
-- `handle` and `subject` are those of provider_sessions; NULL means all. `issued_at` is the
-- provider's time, 0 if unknown. `id` increases and is never reused.

CREATE TABLE provider_logouts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    handle TEXT,
    subject TEXT,
    issued_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    CHECK (handle IS NOT NULL OR subject IS NOT NULL)
);

CREATE INDEX provider_logouts_by_handle ON provider_logouts (provider, handle);

CREATE INDEX provider_logouts_by_subject ON provider_logouts (provider, subject);

CREATE INDEX provider_logouts_by_until ON provider_logouts (until);
