"""What callers may say of a user or a role: read from JSON, forms and files, every fault named."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    StringConstraints,
    ValidationInfo,
)
from pydantic import ValidationError as Invalid
from pydantic_core import ErrorDetails

from service import errors, users

_MAX_PATH = 100
_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not known here, or cannot be set",
    "model_type": "has to be an object",
    "string_type": "has to be a text",
    "string_too_long": "is too long",
    "bool_type": "has to be true or false",
    "list_type": "has to be a list",
}


def _username(text: str) -> str:
    try:
        return users.canonical(text)
    except errors.UsernameInvalid as problem:
        raise ValueError(problem.detail) from None


def _new_role(text: str) -> str:
    try:
        return users.canonical_role(text)
    except errors.Fault as fault:
        raise ValueError(str(fault)) from None


def _known_role(value: object, info: ValidationInfo) -> str:
    """Take a role by name, or as answers show it: `{"id", "role"}`."""
    known: Mapping[str, int] = info.context or {}
    name = value
    if isinstance(value, dict):
        name = value.get("role")
        if value.keys() - {"id", "role"} or value.get("id", known.get(str(name))) != known.get(
            str(name)
        ):
            raise ValueError("There is no such role.")
    if not isinstance(name, str):
        raise ValueError("has to be the name of a role")  # noqa: TRY004  # pydantic's way
    if name not in known:
        raise ValueError("There is no such role.")
    return name


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has a character that cannot be shown")
    return text.strip()


def _or_none(value: object) -> object:
    return None if value == "" else value


_Username = Annotated[str, AfterValidator(_username)]
_Name = Annotated[
    Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)] | None,
    BeforeValidator(_or_none),
]
_Email = Annotated[
    Annotated[EmailStr, StringConstraints(max_length=254)] | None, BeforeValidator(_or_none)
]
_Roles = list[Annotated[str, BeforeValidator(_known_role)]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class _User(_Strict):
    username: _Username
    name: _Name = None
    email: _Email = None
    disabled: bool = False
    roles: _Roles = []


class _Patch(_Strict):
    username: _Username = ""
    name: _Name = None
    email: _Email = None
    disabled: bool = False
    roles: _Roles = []


class _Role(_Strict):
    role: Annotated[str, AfterValidator(_new_role)]


_T = TypeVar("_T", bound=_Strict)


def user(value: object, known_roles: Mapping[str, int]) -> dict[str, Any]:
    """Return all facts of a user, with a default for what is left out; roles by name.

    `known_roles` are the ids of the roles that there are. Raises ValidationError.
    """
    return _read(_User, value, known_roles).model_dump()


def patch(value: object, known_roles: Mapping[str, int]) -> dict[str, Any]:
    """Return the facts that are to change (RFC 7396). Raises ValidationError."""
    return _read(_Patch, value, known_roles).model_dump(exclude_unset=True)


def role(value: object) -> str:
    """Return the name of a role that is to be. Raises ValidationError."""
    return _read(_Role, value, {}).role


def _read(kind: type[_T], value: object, known_roles: Mapping[str, int]) -> _T:
    try:
        return kind.model_validate(value, context=known_roles)
    except Invalid as invalid:
        raise errors.ValidationError(
            errors=[
                {"attribute": _path(error["loc"]), "message": _message(error)}
                for error in invalid.errors(include_url=False, include_input=False)
            ]
        ) from None


def _path(location: tuple[int | str, ...]) -> str:
    """Return where a fault is: `roles[0]`; the whole body is `body`."""
    first, *rest = location or ("body",)
    return str(first)[:_MAX_PATH] + "".join(f"[{part}]" for part in rest)


def _message(error: ErrorDetails) -> str:
    if "error" in error.get("ctx", {}):
        return str(error["ctx"]["error"])
    return _MESSAGES.get(error["type"], error["msg"])
