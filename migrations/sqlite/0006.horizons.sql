-- The horizons of tokens, and the pruned part of the feed.
-- A row of `token_lifetimes`: processes issue tokens with a lifetime of `seconds`, and none of these
-- expires after `until`. `until` never moves back. `noted_at` is the clock of the process that wrote
-- the row last. `until` is NULL if a process of an older version wrote the row.

ALTER TABLE token_lifetimes ADD COLUMN noted_at INTEGER;

-- `until` in `changes` is now an hour after the last token has expired, not a minute. Older versions
-- assumed a single lifetime in their rows of users: extend these rows to all known lifetimes.
UPDATE changes SET until = until + 3540;

UPDATE changes SET until = max(until, (
    SELECT CAST(strftime('%s', 'now') AS INTEGER) + 3600 + coalesce(max(seconds), 0)
    FROM token_lifetimes
)) WHERE kind <> 'session';

-- The first two columns are in seconds since 1970. No row means 0.
--   pruned_until  revocations of tokens that expired until then may have been deleted
--   not_before    tokens of sessions that started earlier are refused, for all users
--   disputes      how often a process has found that two clocks differ
CREATE TABLE revocation_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pruned_until INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    disputes INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX changes_by_sid ON changes (sid);

CREATE INDEX changes_by_user ON changes (user_id);
