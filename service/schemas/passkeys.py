"""The input models of passkeys. What is inside a credential is read by `credentials`."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from service.credentials import passkeys, passwords
from service.parsing import harmless
from service.schemas.base import Strict, read

_MAX_NEXT = 8_000


def _required(name: str) -> str:
    if not name:
        raise ValueError("must not be empty")
    return name


PasskeyText = Annotated[
    str, StringConstraints(max_length=passkeys.MAX_NAME), AfterValidator(harmless.normalize)
]
_Current = Annotated[str, Field(min_length=1), AfterValidator(passwords.normalize)]


class PasskeySignIn(Strict):
    """An answer of an authenticator, and where to go."""

    credential: dict[str, Any] = Field(repr=False)
    remember: bool = False
    next: Annotated[str, Field(max_length=_MAX_NEXT)] | None = None


class PasskeyCreation(Strict):
    """An answer with a new passkey and its name. Without a name, it gets one."""

    credential: dict[str, Any] = Field(repr=False)
    name: PasskeyText | None = None
    current: _Current | None = Field(default=None, repr=False)


class PasskeyName(Strict):
    """A new name of a passkey."""

    name: Annotated[PasskeyText, AfterValidator(_required)]


class PasskeyRemoval(Strict):
    """The current password, if there is no recent sign-in."""

    current: _Current | None = Field(default=None, repr=False)


def passkey_sign_in(value: object) -> PasskeySignIn:
    """Return the answer of a sign-in. Raises ValidationError."""
    return read(PasskeySignIn, value)


def passkey_creation(value: object) -> PasskeyCreation:
    """Return the answer of a registration. Raises ValidationError."""
    return read(PasskeyCreation, value)


def passkey_name(value: object) -> str:
    """Return a new name. Raises ValidationError."""
    return read(PasskeyName, value).name


def passkey_removal(value: object) -> str | None:
    """Return the current password, or None. Raises ValidationError."""
    return read(PasskeyRemoval, value).current
