"""The normal form of names."""

import re

from service.db.casefold import casefold
from service.errors import InvalidName
from service.parsing import harmless

MANAGE_USERS = "manage_users"
"""The role that allows changing users and granting all roles."""

ROLE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}", re.ASCII)
_PROVIDER = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
MAX_SUBJECT = 255
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)


def normalize_username(username: str) -> str:
    """Return a user name in lower-case ASCII. Raises InvalidName."""
    if not _USERNAME.fullmatch(username):
        raise InvalidName(
            "A user name starts with a letter or a digit and has at most 64 characters from a-z,"
            " 0-9, '.', '_', '@', '+' and '-'."
        )
    return username.lower()


def normalize_role(role: str) -> str:
    """Return a role name unchanged. Raises InvalidName.

    The rule keeps out what a comma-separated header cannot hold.
    """
    if not ROLE.fullmatch(role):
        raise InvalidName(
            "A role name starts with a letter or a digit and has at most 64 characters from a-z,"
            " 0-9, '.', '_', ':' and '-'."
        )
    return role


def normalize_provider(provider: str) -> str:
    """Return a provider name in lower-case ASCII. Raises InvalidName."""
    if not _PROVIDER.fullmatch(provider.lower()):
        raise InvalidName(
            "A provider name starts with a letter and has at most 32 characters from a-z, 0-9, '_'"
            " and '-', such as cas."
        )
    return provider.lower()


def normalize_subject(subject: str) -> str:
    """Return the subject of an account unchanged. Raises InvalidName."""
    if not 1 <= len(subject) <= MAX_SUBJECT or not harmless.is_harmless(subject):
        raise InvalidName(
            f"A subject has 1 to {MAX_SUBJECT} characters, and no control characters."
        )
    return subject


def searched(username: str, name: str, email: str) -> str:
    """Return the search text of a user: the names on lines, as `q` cannot contain a line end."""
    return casefold(f"{username}\n{name}\n{email}")
