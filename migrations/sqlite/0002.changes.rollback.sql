DROP TABLE token_lifetimes;

DROP TABLE changes;
