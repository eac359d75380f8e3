DROP INDEX changes_by_user;

DROP INDEX changes_by_sid;

DROP TABLE revocation_state;

ALTER TABLE token_lifetimes DROP COLUMN noted_at;
