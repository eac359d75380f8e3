"""Strict validation of bodies, forms and queries. Reports all faults at once."""

from service.schemas.base import ID, Reader, T
from service.schemas.forms import form
from service.schemas.messages import in_words
from service.schemas.queries import AuditQuery, audit_query, cursor, nothing, user_query
from service.schemas.user_input import Identity, edited, identity, patch, role, seen, user

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
