"""Revoked tokens: the feed in the database, the memory of each process, the published documents."""
