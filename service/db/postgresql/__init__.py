"""PostgreSQL. Imported only if it is used, because its driver is an optional extra."""
