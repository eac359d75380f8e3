"""The name and the e-mail address of an account, by the rules of the API."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from service import errors, schemas

_TOO_LONG = "must have at most "
_WORDS = {"name": "characters", "email": "not_an_address"}
NOT_VERIFIED = "not_verified"


class Profile(NamedTuple):
    """The fields of a user, and why the other ones are ignored: a constant word for the log."""

    facts: dict[str, Any]
    ignored: dict[str, str]


def read(fields: Mapping[str, Any]) -> Profile:
    """Return the fields that the API would accept for a user. An absent field is None."""
    profile = Profile({}, {})
    for name, value in fields.items():
        if value is None:
            continue
        try:
            profile.facts.update(schemas.patch({name: value}, {}))
        except errors.ValidationError as refused:
            profile.ignored[name] = _why(name, value, refused.errors[0]["message"])
    return profile


def _why(name: str, value: Any, message: str) -> str:
    """Return why a field is invalid, without any part of its value."""
    if not isinstance(value, str):
        return "not_text"
    if message.startswith(_TOO_LONG):
        return f"over {message.removeprefix(_TOO_LONG)}"
    return _WORDS.get(name, "invalid")
