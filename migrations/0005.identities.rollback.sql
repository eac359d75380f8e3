DROP TABLE provider_sessions;

DROP TABLE identities;
