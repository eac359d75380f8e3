"""The one form of each name."""

import re

from service.errors import Fault, UsernameInvalid
from service.folding import fold

MANAGE_USERS = "manage_users"
"""The role of those who may change users, and give every role."""

ROLE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}", re.ASCII)
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)


def canonical(username: str) -> str:
    """Return the one form of a user name: ASCII, lower case. Raises UsernameInvalid."""
    if not _USERNAME.fullmatch(username):
        raise UsernameInvalid
    return username.lower()


def canonical_role(role: str) -> str:
    """Return a role name as it is. Raises Fault if a comma-separated header could not carry it."""
    if not ROLE.fullmatch(role):
        raise Fault(
            "A role name starts with a letter or a digit and has at most 64 characters from a-z,"
            " 0-9, '.', '_', ':' and '-'."
        )
    return role


def searched(username: str, name: str, email: str) -> str:
    """Return the text of a user in which `q` of a list is looked for; no `q` has a line end."""
    return fold(f"{username}\n{name}\n{email}")
