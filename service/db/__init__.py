"""The database interface: rows as dicts, and transactions. Only this folder imports a driver."""

from service.db.interface import (
    NOW,
    WRITERS,
    ChangeMarker,
    ConstraintError,
    Database,
    Kind,
    Reader,
    Row,
    Transaction,
    fault_on_unavailable,
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
from service.db.reasons import reason
from service.db.requirements import check as require_library

__all__ = [
    "NOW",
    "WRITERS",
    "ChangeMarker",
    "ConstraintError",
    "Database",
    "Kind",
    "Reader",
    "Row",
    "Transaction",
    "connect",
    "connect_blocking",
    "create",
    "fault_on_unavailable",
    "open_blocking",
    "read_blocking",
    "reason",
    "require_library",
    "save",
    "writing_blocking",
]
