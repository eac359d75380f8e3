"""The input models of sign-ins."""

from typing import Annotated

from pydantic import AfterValidator, Field

from service.credentials import passwords, totp
from service.schemas.base import Strict, read

_MAX_TYPED = 256
_MAX_NEXT = 8_000


_Password = Annotated[str, Field(min_length=1), AfterValidator(passwords.normalize)]
_Code = Annotated[str, Field(max_length=totp.MAX_LENGTH), AfterValidator(totp.normalize)]
_Next = Annotated[str, Field(max_length=_MAX_NEXT)]


class PasswordSignIn(Strict):
    """A user name, a password and a code, as they were typed. The password is normalized."""

    username: Annotated[str, Field(min_length=1, max_length=_MAX_TYPED)]
    password: _Password = Field(repr=False)
    otp: _Code | None = Field(default=None, repr=False)
    remember: bool = False
    next: _Next | None = None


class SecondFactor(Strict):
    """The code of the second step. `recovery` says which page sent it."""

    otp: Annotated[_Code, Field(min_length=1)] = Field(repr=False)
    next: _Next | None = None
    recovery: str | None = None


class Reauthentication(Strict):
    """The current password, in place of a recent sign-in."""

    current: _Password | None = Field(default=None, repr=False)


class CodeSetup(Reauthentication):
    """The code that confirms a set-up."""

    code: Annotated[_Code, Field(min_length=1)] = Field(repr=False)


def password_sign_in(value: object) -> PasswordSignIn:
    """Return the user name and the password of a sign-in. Raises ValidationError."""
    return read(PasswordSignIn, value)


def second_factor(value: object) -> SecondFactor:
    """Return the code of a second step. Raises ValidationError."""
    return read(SecondFactor, value)


def reauthentication(value: object) -> Reauthentication:
    """Return the current password, if there is one. Raises ValidationError."""
    return read(Reauthentication, value)


def code_setup(value: object) -> CodeSetup:
    """Return the code that confirms a set-up. Raises ValidationError."""
    return read(CodeSetup, value)
