DROP TABLE token_lifetimes;

DROP TABLE changes;

DROP FUNCTION changes_notify;
