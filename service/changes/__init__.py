"""The revocation feed in the database: its rows, and the notes of how far tokens reach."""

from service.changes import lifetimes
from service.changes.rows import (
    ALL,
    DELETED,
    has_dead,
    is_revoked,
    is_user_revoked,
    last_seq,
    live,
    prune,
    session_ended,
    user_changed,
    user_revoked,
    version,
)

__all__ = [
    "ALL",
    "DELETED",
    "has_dead",
    "is_revoked",
    "is_user_revoked",
    "last_seq",
    "lifetimes",
    "live",
    "prune",
    "session_ended",
    "user_changed",
    "user_revoked",
    "version",
]
