"""The input models of links and open invitations."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from service import users
from service.config import parse
from service.credentials import invitations, passwords
from service.credentials.invitations import Wanted
from service.schemas.base import Strict, read
from service.schemas.passkeys import PasskeyText
from service.schemas.user_input import Roles

_DEFAULT = Wanted()


def _seconds(value: object) -> int:
    """Read a duration as settings have it, or a number of seconds."""
    return parse.duration(str(value) if type(value) is int else value if type(value) is str else "")


def _uses(value: object) -> int:
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= 4:  # a form
        value = int(value)
    if type(value) is not int or not 1 <= value <= invitations.MOST_USES:
        raise ValueError(f"must be a number from 1 to {invitations.MOST_USES:,}")
    return value


def _purpose(value: object) -> object:
    if value not in ("invite", "reset"):
        raise ValueError("must be invite or reset")
    return value


class _Purpose(Strict):
    purpose: Annotated[Literal["invite", "reset"], BeforeValidator(_purpose)]


class _Invitation(Strict):
    roles: Roles = Field(default_factory=list)
    uses: Annotated[int, BeforeValidator(_uses)] = _DEFAULT.uses
    expires_in: Annotated[int, BeforeValidator(_seconds)] = _DEFAULT.seconds


Username = Annotated[str, AfterValidator(users.normalize_username)]


class NewPassword(Strict):
    """A new password. The user name is required where a link creates a user."""

    username: Username | None = None
    password: Annotated[str, Field(min_length=1), AfterValidator(passwords.normalize)] = Field(
        repr=False
    )


class NewUserPassword(NewPassword):
    """A new password with the user name of a new user."""

    username: Username


class _Existing(Strict):
    username: Username | None = None


class _New(_Existing):
    username: Username


class LinkPasskey(_Existing):
    """An answer with a new passkey and its name. Without a name, it gets one."""

    credential: dict[str, Any] = Field(repr=False)
    name: PasskeyText | None = None


class _NewUserPasskey(LinkPasskey):
    username: Username


def link_purpose(value: object) -> Literal["invite", "reset"]:
    """Return the purpose of a new link. Raises ValidationError."""
    return read(_Purpose, value).purpose


def invitation(value: object, known_roles: Mapping[str, int] | None) -> Wanted:
    """Return a new open invitation, its roles read as those of a user. Raises ValidationError."""
    given: dict[str, Any] = read(_Invitation, value, known_roles).model_dump()
    return Wanted(tuple(dict.fromkeys(given["roles"])), given["uses"], given["expires_in"])


def new_password(value: object) -> NewPassword:
    """Return the new password of an existing user. Raises ValidationError."""
    return read(NewPassword, value)


def new_user_password(value: object) -> NewPassword:
    """Return the name and the new password of a new user. Raises ValidationError."""
    return read(NewUserPassword, value)


def link_user(value: object, *, is_new: bool) -> _Existing:
    """Return the user name of a link, required if `is_new`. Raises ValidationError."""
    return read(_New if is_new else _Existing, value)


def link_passkey(value: object, *, is_new: bool) -> LinkPasskey:
    """Return a new passkey, and the user name if `is_new`. Raises ValidationError."""
    return read(_NewUserPasskey if is_new else LinkPasskey, value)
