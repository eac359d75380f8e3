"""What callers may say of a user or a role, be it in JSON, in a form or in a file."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    EmailStr,
    Field,
    StringConstraints,
    ValidationInfo,
)

from service import errors, users
from service.schemas.base import ID, Strict, printable, read

MOST_ROLES = 1000
"""How many a list may name: some ten times as many as fit into a token."""


def _username(text: str) -> str:
    try:
        return users.normalize_username(text)
    except errors.UsernameInvalid as problem:
        raise ValueError(problem.detail) from None


def _or_fault(canonical: Callable[[str], str]) -> Callable[[str], str]:
    """Return what says as a validator does that a text cannot be such a name."""

    def check(text: str) -> str:
        try:
            return canonical(text)
        except errors.Fault as fault:
            raise ValueError(str(fault)) from None

    return check


def _known_role(value: object, info: ValidationInfo) -> str:
    """Take a role by name, or as answers show it: `{"id", "role"}`."""
    known: Mapping[str, int] = info.context or {}
    shown = value if isinstance(value, dict) else {"role": value}
    name = shown.get("role")
    if not isinstance(name, str) or shown.keys() - {"id", "role"}:
        raise ValueError("must be the name of a role")
    if name not in known or repr(shown.get("id", known[name])) != repr(known[name]):
        raise ValueError("The role does not exist.")
    return name


def _few(value: object) -> object:
    if isinstance(value, list) and len(value) > MOST_ROLES:
        raise ValueError(f"has more than {MOST_ROLES:,} entries")
    return value


def _bare(value: object) -> object:
    """Refuse `Ada <ada@example.org>`, of which the library would take the address."""
    if isinstance(value, str) and set(value) & set("<> "):
        raise ValueError("must be an e-mail address only")
    return _or_none(value)


def _or_none(value: object) -> object:
    return None if value == "" else value


def _version(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError("must be the version from the page")
    return text


_Username = Annotated[str, AfterValidator(_username)]
_Name = Annotated[
    Annotated[
        str, StringConstraints(max_length=200), AfterValidator(printable), AfterValidator(str.strip)
    ]
    | None,
    BeforeValidator(_or_none),
]
_Email = Annotated[
    Annotated[EmailStr, StringConstraints(max_length=254)] | None, BeforeValidator(_bare)
]
_Roles = Annotated[list[Annotated[str, BeforeValidator(_known_role)]], BeforeValidator(_few)]


class _User(Strict):
    username: _Username
    name: _Name = None
    email: _Email = None
    disabled: bool = False
    roles: _Roles = Field(default_factory=list)


class _Patch(Strict):
    username: _Username = ""
    name: _Name = None
    email: _Email = None
    disabled: bool = False
    roles: _Roles = Field(default_factory=list)


class Identity(NamedTuple):
    """An account at a provider."""

    provider: str
    subject: str


class _Identity(Strict):
    provider: Annotated[str, AfterValidator(_or_fault(users.normalize_provider))]
    subject: Annotated[str, AfterValidator(_or_fault(users.normalize_subject))]


class _Seen(Strict):
    version: Annotated[str, AfterValidator(_version)]


class _Edited(_User, _Seen):
    pass


class _Role(Strict):
    role: Annotated[str, AfterValidator(_or_fault(users.normalize_role))]


def user(value: object, known_roles: Mapping[str, int]) -> dict[str, Any]:
    """Return all facts of a user, with a default for what is left out; roles by name.

    `known_roles` are the ids of the roles that there are. Raises ValidationError.
    """
    return read(_User, value, known_roles).model_dump()


def patch(value: object, known_roles: Mapping[str, int]) -> dict[str, Any]:
    """Return the facts that are to change (RFC 7396). Raises ValidationError."""
    return read(_Patch, value, known_roles).model_dump(exclude_unset=True)


def edited(value: object, known_roles: Mapping[str, int]) -> tuple[dict[str, Any], int]:
    """Return all facts of a user as `user` does, and the version that they were changed from."""
    facts = read(_Edited, value, known_roles).model_dump()
    return facts, int(facts.pop("version"))


def seen(value: object) -> int:
    """Return the version of a user that was seen, where nothing else is said."""
    return int(read(_Seen, value).version)


def role(value: object) -> str:
    """Return the name of a role that is to be. Raises ValidationError."""
    return read(_Role, value, {}).role


def identity(value: object) -> Identity:
    """Return the account at a provider that is to be linked. Raises ValidationError."""
    return Identity(**read(_Identity, value).model_dump())
