"""The input models of one's own account."""

from typing import Annotated, NamedTuple, cast

from pydantic import AfterValidator, Field, ValidationInfo

from service.credentials import passwords
from service.schemas.base import Strict, read


class PasswordRules(NamedTuple):
    """What the rules for a new password depend on: minimum length, user name, host."""

    least: int
    username: str
    site: str


def _new(password: str, info: ValidationInfo) -> str:
    rules = cast("PasswordRules", info.context)
    return passwords.new(password, least=rules.least, username=rules.username, site=rules.site)


class PasswordChange(Strict):
    """A new password, normalized, and the current one if the sign-in is not recent."""

    password: Annotated[str, AfterValidator(_new)] = Field(repr=False)
    current: Annotated[str, Field(min_length=1), AfterValidator(passwords.normalize)] | None = (
        Field(default=None, repr=False)
    )


def password_change(value: object, rules: PasswordRules) -> PasswordChange:
    """Return a new password. Raises ValidationError."""
    return read(PasswordChange, value, rules)
