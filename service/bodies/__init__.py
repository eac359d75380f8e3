"""What callers may say: bodies and queries, read strictly, with every fault named at once."""

from service.bodies.faults import in_words
from service.bodies.queries import AuditQuery, audit_query, cursor, nothing, user_query
from service.bodies.strict import ID, Reader, T
from service.bodies.writes import patch, role, user

__all__ = [
    "ID",
    "AuditQuery",
    "Reader",
    "T",
    "audit_query",
    "cursor",
    "in_words",
    "nothing",
    "patch",
    "role",
    "user",
    "user_query",
]
