"""The name and the e-mail address of an account, by the rules of the API."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from service import errors, schemas
from service.providers import claim_values

_TOO_LONG = "must have at most "
_WORDS = {"name": "characters", "email": "not_an_address"}


class Profile(NamedTuple):
    """The fields of a user, and why the other ones are ignored: a constant word for the log."""

    facts: dict[str, Any]
    ignored: dict[str, str]


def read(fields: Mapping[str, Iterable[Any]]) -> Profile:
    """Return the fields that the API would accept for a user, each the first usable value.

    Null and empty values are absent. If no value of a field can be used, the first one has the
    reason.
    """
    profile = Profile({}, {})
    for name, values in fields.items():
        for value in values:
            if claim_values.is_absent(value):
                continue
            try:
                profile.facts.update(schemas.patch({name: value}, {}))
            except errors.ValidationError as refused:
                why = _why(name, value, refused.errors[0]["message"])
                profile.ignored.setdefault(name, why)
            else:
                profile.ignored.pop(name, None)
                break
    return profile


def _why(name: str, value: Any, message: str) -> str:
    """Return why a field is invalid, without any part of its value."""
    if (reason := claim_values.why_not_text(value)) is not None:
        return reason
    if message.startswith(_TOO_LONG):
        return f"over {message.removeprefix(_TOO_LONG)}"
    return _WORDS.get(name, "invalid")
