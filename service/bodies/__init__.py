"""What callers may say: bodies and queries, read strictly, with every fault named at once."""

from service.bodies.queries import AuditQuery, audit_query, cursor, nothing, user_query
from service.bodies.strict import ID, Reader, T
from service.bodies.writes import Identity, identity, patch, role, user

__all__ = [
    "ID",
    "AuditQuery",
    "Identity",
    "Reader",
    "T",
    "audit_query",
    "cursor",
    "identity",
    "nothing",
    "patch",
    "role",
    "user",
    "user_query",
]
