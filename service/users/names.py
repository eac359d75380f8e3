"""The normal form of names."""

import re

from service.db.casefold import casefold
from service.errors import Fault, UsernameInvalid

MANAGE_USERS = "manage_users"
"""The role that allows changing users and granting all roles."""

ROLE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}", re.ASCII)
_PROVIDER = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_MAX_SUBJECT = 255
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)


def normalize_username(username: str) -> str:
    """Return a user name in lower-case ASCII. Raises UsernameInvalid."""
    if not _USERNAME.fullmatch(username):
        raise UsernameInvalid
    return username.lower()


def normalize_role(role: str) -> str:
    """Return a role name unchanged. Raises Fault if it cannot be in a comma-separated header."""
    if not ROLE.fullmatch(role):
        raise Fault(
            "A role name starts with a letter or a digit and has at most 64 characters from a-z,"
            " 0-9, '.', '_', ':' and '-'."
        )
    return role


def normalize_provider(provider: str) -> str:
    """Return a provider name in lower-case ASCII. Raises Fault."""
    if not _PROVIDER.fullmatch(provider.lower()):
        raise Fault(
            "A provider name starts with a letter and has at most 32 characters from a-z, 0-9, '_'"
            " and '-', such as cas."
        )
    return provider.lower()


def normalize_subject(subject: str) -> str:
    """Return the subject of an account unchanged. Raises Fault if it is invalid."""
    if not 1 <= len(subject) <= _MAX_SUBJECT or not subject.isprintable():
        raise Fault(f"A subject has 1 to {_MAX_SUBJECT} printable characters.")
    return subject


def searched(username: str, name: str, email: str) -> str:
    """Return the search text of a user: the names on lines, as `q` cannot contain a line end."""
    return casefold(f"{username}\n{name}\n{email}")
