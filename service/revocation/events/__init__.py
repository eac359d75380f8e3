"""The revocation feed in the database: rows and token lifetimes."""

from service.revocation.events.pages import Page, read
from service.revocation.events.rows import (
    DELETED_VERSION,
    IS_REVOKED,
    has_dead,
    holders_changed,
    is_revoked,
    is_revoked_parameters,
    is_user_revoked,
    prune,
    session_ended,
    user_changed,
    user_revoked,
    version,
)
from service.tokens import lifetimes

__all__ = [
    "DELETED_VERSION",
    "IS_REVOKED",
    "Page",
    "has_dead",
    "holders_changed",
    "is_revoked",
    "is_revoked_parameters",
    "is_user_revoked",
    "lifetimes",
    "prune",
    "read",
    "session_ended",
    "user_changed",
    "user_revoked",
    "version",
]
