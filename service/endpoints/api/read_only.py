"""Read-only members of a body: a client can send back what it has read."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from service import errors

Fault = dict[str, str]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_MESSAGE = "is read-only, and is {} now"
_MESSAGES = {
    "updated_at": "is read-only: the user was changed after you read it, at {}. Read it again"
}


def split(
    sent: object, names: Collection[str], *, null_is_absent: bool = True
) -> tuple[object, dict[str, Any]]:
    """Return a body without its read-only members, and these.

    Clients whose types have all members send null for those that they do not know.
    """
    if not isinstance(sent, dict) or sent.keys().isdisjoint(names):
        return sent, {}
    rest = {name: value for name, value in sent.items() if name not in names}
    given = {name: sent[name] for name in sent if name in names}
    if null_is_absent:
        given = {name: value for name, value in given.items() if value is not None}
    return rest, given


def without_nulls(sent: object, names: Collection[str]) -> object:
    """Return the body of a new item without read-only members that are null.

    Others are of another item: they stay, and are a fault later.
    """
    rest, given = split(sent, names)
    return {**rest, **given} if isinstance(rest, dict) else rest


def are_possible(given: Mapping[str, Any], item_id: int) -> bool:
    """Return whether read-only members could be those of the item with this ID, by their form."""
    return all(
        type(value) is not bool and value == item_id if name == "id" else _is_time(value)
        for name, value in given.items()
    )


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        return bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_equal(value: object, current: object) -> bool:
    """Return whether two values are equal. Times may have other zones and fractions of seconds."""
    if isinstance(value, str) and isinstance(current, str) and value != current:
        return _is_time(value) and _instant(value) == _instant(current)
    return type(value) is not bool and value == current


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(microsecond=0)


def faults(given: Mapping[str, Any], current: Mapping[str, Any]) -> list[Fault]:
    """Return a fault for each read-only member that differs from its current value."""
    return [
        {"attribute": name, "message": _MESSAGES.get(name, _MESSAGE).format(current[name])}
        for name, value in given.items()
        if not _is_equal(value, current[name])
    ]


def require_unchanged(given: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Raise ValidationError if a read-only member differs from its current value."""
    if found := faults(given, current):
        raise errors.ValidationError(errors=found)
