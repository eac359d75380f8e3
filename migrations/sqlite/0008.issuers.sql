-- Which provider each name in the settings means: the issuer of OpenID Connect, the address of the CAS
-- server. The accounts in `identities` are accounts there: a subject is unique only within an issuer.

CREATE TABLE provider_issuers (
    provider TEXT PRIMARY KEY,
    issuer TEXT NOT NULL
);
