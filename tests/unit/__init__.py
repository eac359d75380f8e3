"""Pure parts, the store and the database: no server."""
