"""Search in many users: each row has its case-folded search text (service/db/casefold.py).

This is Python because PostgreSQL has no such function. It fills the column for existing users.
"""

from typing import Any

from yoyo import step

from service.db.casefold import casefold

_MANY = 10_000


def _fold_all(connection: Any) -> None:
    """Fill the column in batches."""
    with connection.cursor() as cursor:
        last = 0
        while True:
            cursor.execute(
                "SELECT id, username, name, email FROM users WHERE id > %s ORDER BY id LIMIT %s",
                (last, _MANY),
            )
            rows = cursor.fetchall()
            if not rows:
                return
            last = rows[-1][0]
            texts = [(casefold("\n".join(columns)), user_id) for user_id, *columns in rows]
            cursor.executemany("UPDATE users SET search = %s WHERE id = %s", texts)


steps = [
    step(
        "ALTER TABLE users ADD COLUMN search TEXT COLLATE \"C\" NOT NULL DEFAULT ''",
        "ALTER TABLE users DROP COLUMN search",
    ),
    step(_fold_all),
    step(
        "DROP INDEX users_disabled", "CREATE INDEX users_disabled ON users (id) WHERE disabled = 1"
    ),
    step("DROP INDEX users_by_name", "CREATE INDEX users_by_name ON users (name, id)"),
    step(
        "CREATE INDEX users_by_name ON users (name, id, username)",
        "DROP INDEX users_by_name",
    ),
    step(
        "CREATE INDEX users_by_disabled ON users (disabled, id)",
        "DROP INDEX users_by_disabled",
    ),
    # A trusted extension: the owner of a database may create it, if the server has it (contrib).
    # Without it the results are the same, but searches read all texts: docs/databases.md.
    step(
        """
        DO $$ BEGIN
            CREATE EXTENSION IF NOT EXISTS pg_trgm;
        EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
            RAISE NOTICE 'without pg_trgm: %', SQLERRM;
        END $$
        """
    ),
    step(
        """
        DO $$ DECLARE place TEXT; BEGIN
            SELECT quote_ident(nspname) INTO place FROM pg_extension
            JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm';
            IF FOUND THEN
                EXECUTE 'CREATE INDEX user_search ON users USING gin (search '
                    || place || '.gin_trgm_ops)';
            END IF;
        END $$
        """,
        "DROP INDEX IF EXISTS user_search",
    ),
]
