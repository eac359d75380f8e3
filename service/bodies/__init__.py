"""What callers may say: bodies, forms and queries, read strictly, every fault named at once."""

from service.bodies.faults import in_words
from service.bodies.forms import form
from service.bodies.queries import AuditQuery, audit_query, cursor, nothing, user_query
from service.bodies.strict import ID, Reader, T
from service.bodies.writes import Identity, edited, identity, patch, role, seen, user

__all__ = [
    "ID",
    "AuditQuery",
    "Identity",
    "Reader",
    "T",
    "audit_query",
    "cursor",
    "edited",
    "form",
    "identity",
    "in_words",
    "nothing",
    "patch",
    "role",
    "seen",
    "user",
    "user_query",
]
