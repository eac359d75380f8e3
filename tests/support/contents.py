"""The contents of a database of PostgreSQL, to make one as it was."""

from dataclasses import dataclass

import psycopg

from service.config import DatabaseUrl

_SCHEMA = """
SELECT md5(string_agg(each, ' ' ORDER BY each)) FROM (
 SELECT concat('class ', oid, relnatts) FROM pg_class WHERE oid >= 16384
 UNION ALL SELECT concat('column ', attrelid, attnum, attisdropped, atttypid, attnotnull)
 FROM pg_attribute WHERE attrelid >= 16384
 UNION ALL SELECT concat('constraint ', oid) FROM pg_constraint WHERE oid >= 16384
 UNION ALL SELECT concat('trigger ', oid, tgenabled) FROM pg_trigger
 UNION ALL SELECT concat('function ', oid, md5(prosrc)) FROM pg_proc WHERE oid >= 16384
 UNION ALL SELECT concat('schema ', oid) FROM pg_namespace WHERE nspname NOT LIKE 'pg_temp%'
 AND nspname NOT LIKE 'pg_toast_temp%'
 UNION ALL SELECT concat('extension ', oid) FROM pg_extension
) AS all_of_it (each)
"""
_USED = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
 AND pid <> pg_backend_pid() AND backend_type = 'client backend')
 OR EXISTS (SELECT FROM pg_db_role_setting AS given
 JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database())
 OR pg_database_size(current_database()) > %s
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
_GREW = 2**20


@dataclass(frozen=True)
class Contents:
    """What is in a database of PostgreSQL: its tables, their rows, the next numbers."""

    schema: str
    size: int
    rows: dict[str, bytes]
    sequences: list[tuple[str, int | None]]

    @classmethod
    def of(cls, database: DatabaseUrl) -> "Contents":
        """Read it."""
        with psycopg.connect(database.url) as server:
            rows = {}
            for (table,) in server.execute(_TABLES).fetchall():
                with server.cursor().copy(f'COPY "{table}" TO STDOUT'.encode()) as copy:
                    rows[table] = b"".join(map(bytes, copy))
            (schema,), (size,) = (
                server.execute(query).fetchall()[0]
                for query in (_SCHEMA, b"SELECT pg_database_size(current_database())")
            )
            return cls(schema, size, rows, server.execute(_SEQUENCES).fetchall())

    def restore(self, database: DatabaseUrl) -> bool:
        """Put the same rows into a copy; False if its tables differ, it grew, or it is in use."""
        try:
            server = psycopg.connect(database.url, autocommit=True)
        except psycopg.OperationalError:
            return False
        with server:
            is_used = server.execute(_USED, (self.size + _GREW,)).fetchall() != [(False,)]
            if is_used or server.execute(_SCHEMA).fetchall() != [(self.schema,)]:
                return False
            with server.transaction():
                server.execute("SET LOCAL session_replication_role = replica")  # no triggers
                for table in self.rows:
                    server.execute(f'DELETE FROM "{table}"'.encode())  # noqa: S608  # ours
                for table, rows in self.rows.items():
                    if rows:
                        with server.cursor().copy(f'COPY "{table}" FROM STDIN'.encode()) as copy:
                            copy.write(rows)
                for name, last in self.sequences:
                    called = (name, last or 1, last is not None)
                    server.execute("SELECT setval(%s::regclass, %s, %s)", called)
        return True
