"""The input models of users, roles and identities, for JSON, forms and files."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
)

from service import users
from service.parsing import harmless
from service.schemas import email_address
from service.schemas.base import ID, Strict, read

MOST_ROLES = 1000
"""The maximum length of a list of roles: about ten times as many as fit into a token."""


def _known_role(value: object, info: ValidationInfo) -> str:
    """Accept a role by name, or in the format of answers: `{"id", "role"}`, also with `users`."""
    known: Mapping[str, int] | None = info.context
    if known is None and isinstance(value, str) and users.ROLE.fullmatch(value):
        return value
    known = known or {}
    shown = value if isinstance(value, dict) else {"role": value}
    name = shown.get("role")
    count = shown.get("users", 0)
    if not isinstance(name, str) or shown.keys() - {"id", "role", "users"}:
        raise ValueError("must be the name of a role")
    if type(count) is not int or count < 0:
        raise ValueError("must have a number of users, or none")
    if name not in known or repr(shown.get("id", known[name])) != repr(known[name]):
        raise ValueError("The role does not exist.")
    return name


def _few(value: object) -> object:
    if isinstance(value, list) and len(value) > MOST_ROLES:
        raise ValueError(f"has more than {MOST_ROLES:,} entries")
    return value


def _or_none(value: object) -> object:
    return None if value == "" else value


def _version(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError("must be the version from the page")
    return text


_Username = Annotated[str, AfterValidator(users.normalize_username)]
_Name = Annotated[
    Annotated[str, StringConstraints(max_length=200), AfterValidator(harmless.normalize)] | None,
    BeforeValidator(_or_none),
]
_Email = Annotated[
    Annotated[
        str,
        StringConstraints(max_length=email_address.MAX_LENGTH),
        AfterValidator(email_address.normalize),
    ]
    | None,
    BeforeValidator(_or_none),
]
Roles = Annotated[list[Annotated[str, BeforeValidator(_known_role)]], BeforeValidator(_few)]


class _User(Strict):
    username: _Username
    name: _Name = None
    email: _Email = None
    disabled: bool = False
    roles: Roles = Field(default_factory=list)


class _Patch(Strict):
    username: _Username = ""
    name: _Name = None
    email: _Email = None
    disabled: bool = False
    roles: Roles = Field(default_factory=list)


class Identity(NamedTuple):
    """An account at a provider."""

    provider: str
    subject: str


class _Identity(Strict):
    provider: Annotated[str, AfterValidator(users.normalize_provider)]
    subject: Annotated[str, AfterValidator(users.normalize_subject)]


class _Seen(Strict):
    version: Annotated[str, AfterValidator(_version)]


class _Edited(_User, _Seen):
    pass


class _Role(Strict):
    role: Annotated[str, AfterValidator(users.normalize_role)]


def user(value: object, known_roles: Mapping[str, int] | None) -> dict[str, Any]:
    """Return all fields of a user, with defaults for missing ones, and roles by name.

    `known_roles` are the IDs of the existing roles. With None, a role by name counts as existing.
    Raises ValidationError.
    """
    return read(_User, value, known_roles).model_dump()


def patch(value: object, known_roles: Mapping[str, int] | None) -> dict[str, Any]:
    """Return the fields to change (RFC 7396), read as `user` does. Raises ValidationError."""
    return read(_Patch, value, known_roles).model_dump(exclude_unset=True)


def edited(value: object, known_roles: Mapping[str, int]) -> tuple[dict[str, Any], int]:
    """Return all fields of a user as `user` does, and the version that was edited."""
    facts = read(_Edited, value, known_roles).model_dump()
    return facts, int(facts.pop("version"))


def seen(value: object) -> int:
    """Return the version in a form that has no other fields. Raises ValidationError."""
    return int(read(_Seen, value).version)


def role(value: object) -> str:
    """Return the name of a new role. Raises ValidationError."""
    return read(_Role, value, {}).role


def identity(value: object) -> Identity:
    """Return the account at a provider to link. Raises ValidationError."""
    return Identity(**read(_Identity, value).model_dump())
