-- The revocation feed: changes that affect issued tokens.
-- Each row is inserted in the transaction of its change. `seq` is never reused.
--   session   the session `sid` has ended
--   revoked   the tokens of `user_id` with a `ver` below `version` are revoked
--   changed   the tokens of `user_id` with a `ver` below `version` are valid, but outdated
-- `until` (seconds since 1970) is when the last affected token has expired.

CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('session', 'revoked', 'changed')),
    sid TEXT CHECK ((sid IS NOT NULL) = (kind = 'session')),
    user_id INTEGER CHECK ((user_id IS NOT NULL) = (kind <> 'session')),
    version INTEGER CHECK ((version IS NOT NULL) = (kind <> 'session')),
    until INTEGER NOT NULL
);

CREATE INDEX changes_by_until ON changes (until);

-- The lifetimes of the tokens issued with this database. `until` is NULL while servers use the
-- lifetime, then the time when the last of these tokens has expired.
CREATE TABLE token_lifetimes (
    seconds INTEGER PRIMARY KEY CHECK (seconds > 0),
    until INTEGER
);
