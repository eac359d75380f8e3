"""The input models of sign-ins."""

from typing import Annotated

from pydantic import AfterValidator, Field

from service.credentials import passwords
from service.schemas.base import Strict, read

_MAX_TYPED = 256
_MAX_NEXT = 8_000


class PasswordSignIn(Strict):
    """A user name and a password, as they were typed. The password is normalized."""

    username: Annotated[str, Field(min_length=1, max_length=_MAX_TYPED)]
    password: Annotated[str, Field(min_length=1), AfterValidator(passwords.normalize)] = Field(
        repr=False
    )
    remember: bool = False
    next: Annotated[str, Field(max_length=_MAX_NEXT)] | None = None


def password_sign_in(value: object) -> PasswordSignIn:
    """Return the user name and the password of a sign-in. Raises ValidationError."""
    return read(PasswordSignIn, value)
