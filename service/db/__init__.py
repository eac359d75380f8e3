"""The database: rows as plain dicts, transactions; the only folder that imports a driver."""

from service.db.contract import WRITERS, Conflict, Database, Row, Transaction, Version, reason
from service.db.opening import connect, connect_blocking, create, read_blocking

__all__ = [
    "WRITERS",
    "Conflict",
    "Database",
    "Row",
    "Transaction",
    "Version",
    "connect",
    "connect_blocking",
    "create",
    "read_blocking",
    "reason",
]
