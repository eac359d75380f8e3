"""The database: rows as plain dicts, transactions; the only folder that imports a driver."""

from service.db.interface import (
    WRITERS,
    Conflict,
    Database,
    Kind,
    Reader,
    Row,
    Transaction,
    Version,
    answering,
    reason,
)
from service.db.open import (
    connect,
    connect_blocking,
    create,
    open_blocking,
    read_blocking,
    save,
    writing_blocking,
)

__all__ = [
    "WRITERS",
    "Conflict",
    "Database",
    "Kind",
    "Reader",
    "Row",
    "Transaction",
    "Version",
    "answering",
    "connect",
    "connect_blocking",
    "create",
    "open_blocking",
    "read_blocking",
    "reason",
    "save",
    "writing_blocking",
]
