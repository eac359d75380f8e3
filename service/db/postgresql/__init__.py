"""PostgreSQL. Imported when a `DATABASE_URL` names it: its driver is an extra."""
