"""The one form of each name."""

import re

from service.db.casefold import casefold
from service.errors import Fault, UsernameInvalid

MANAGE_USERS = "manage_users"
"""The role of those who may change users, and give every role."""

ROLE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}", re.ASCII)
_PROVIDER = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_MAX_SUBJECT = 255
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)


def normalize_username(username: str) -> str:
    """Return the one form of a user name: ASCII, lower case. Raises UsernameInvalid."""
    if not _USERNAME.fullmatch(username):
        raise UsernameInvalid
    return username.lower()


def normalize_role(role: str) -> str:
    """Return a role name as it is. Raises Fault if a comma-separated header could not carry it."""
    if not ROLE.fullmatch(role):
        raise Fault(
            "A role name starts with a letter or a digit and has at most 64 characters from a-z,"
            " 0-9, '.', '_', ':' and '-'."
        )
    return role


def normalize_provider(provider: str) -> str:
    """Return the one form of a provider's name: ASCII, lower case. Raises Fault."""
    if not _PROVIDER.fullmatch(provider.lower()):
        raise Fault(
            "A provider's name starts with a letter and has at most 32 characters from a-z, 0-9,"
            " '_' and '-': cas, for example."
        )
    return provider.lower()


def normalize_subject(subject: str) -> str:
    """Return what a provider calls an account, as it is. Raises Fault if it cannot be one."""
    if not 1 <= len(subject) <= _MAX_SUBJECT or not subject.isprintable():
        raise Fault(f"A subject has 1 to {_MAX_SUBJECT} characters, all of which can be shown.")
    return subject


def searched(username: str, name: str, email: str) -> str:
    """Return the text of a user in which `q` of a list is looked for; no `q` has a line end."""
    return casefold(f"{username}\n{name}\n{email}")
