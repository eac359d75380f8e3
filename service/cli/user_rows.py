"""Users as commands read and print them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from service import errors, schemas, users

_SHOWN = (
    "id", "username", "name", "email", "roles", "disabled", "version", "created_at", "updated_at",
)  # fmt: skip


T = TypeVar("T")


def of(user: users.User) -> dict[str, Any]:
    """Return the printed fields of a user."""
    facts = cast("dict[str, Any]", user)
    return {name: facts[name] for name in _SHOWN}


def checked(
    read: Callable[[object, Mapping[str, int]], T],
    given: Mapping[str, Any],
    known_roles: Mapping[str, int],
) -> T:
    """Return validated fields, by the same rules as the API. Raises Fault with every error."""
    try:
        return read(given, known_roles)
    except errors.ValidationError as invalid:
        raise errors.Fault("\n".join(schemas.in_words(invalid, given))) from None
