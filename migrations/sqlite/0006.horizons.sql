-- How far tokens can reach, and what the feed has forgotten.
-- A row of `token_lifetimes` says: processes issue tokens with a life of `seconds`, and none of these
-- expires after `until`. `until` only moves forward. `noted_at` is the clock of the process that
-- wrote it last. `until` is NULL if a process of an older version has written the row.

ALTER TABLE token_lifetimes ADD COLUMN noted_at INTEGER;

-- `until` in `changes` is now an hour after the last token has expired, not a minute. What older
-- versions wrote about users assumed one lifetime at a time: let it cover all that are known.
UPDATE changes SET until = until + 3540;

UPDATE changes SET until = max(until, (
    SELECT CAST(strftime('%s', 'now') AS INTEGER) + 3600 + coalesce(max(seconds), 0)
    FROM token_lifetimes
)) WHERE kind <> 'session';

-- The first two columns are seconds since 1970; no row means 0.
--   pruned_until  revocations of tokens that expired until then may have been deleted
--   not_before    tokens of sessions that began before are refused, of all users
--   disputes      how often a process has found that its clock differs from another one's
CREATE TABLE revocation_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pruned_until INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    disputes INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX changes_by_sid ON changes (sid);

CREATE INDEX changes_by_user ON changes (user_id);
