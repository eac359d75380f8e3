-- What tokens that are already out there must learn: the revocation feed.
-- A row is appended in the transaction of the change that it announces. `seq` is never used twice.
--   session   the session `sid` has ended
--   revoked   the tokens of `user_id` with a `ver` below `version` are taken back
--   changed   the tokens of `user_id` with a `ver` below `version` are good, but the user has changed
-- `until` (seconds since 1970) is when the last token that it concerns has expired.

CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('session', 'revoked', 'changed')),
    sid TEXT CHECK ((sid IS NOT NULL) = (kind = 'session')),
    user_id INTEGER CHECK ((user_id IS NOT NULL) = (kind <> 'session')),
    version INTEGER CHECK ((version IS NOT NULL) = (kind <> 'session')),
    until INTEGER NOT NULL
);

CREATE INDEX changes_by_until ON changes (until);

-- How long tokens may live that were issued on this database: `until` is NULL while servers issue
-- with that life, and then the moment when the last of them has expired.
CREATE TABLE token_lifetimes (
    seconds INTEGER PRIMARY KEY CHECK (seconds > 0),
    until INTEGER
);
