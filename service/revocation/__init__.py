"""Token revocation: the feed in the database, the memory of each process, published documents."""
