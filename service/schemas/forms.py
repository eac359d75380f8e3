"""Convert the fields of a form to the members of a JSON body."""

from collections.abc import Sequence

# Check boxes: several with one name, and one that is sent as `true` or not at all.
_LISTS = frozenset({"roles"})
_FLAGS = frozenset({"disabled", "remember"})


def form(fields: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return the members. A duplicate field becomes a list, which is a fault later."""
    given: dict[str, list[str]] = {}
    for name, value in fields:
        given.setdefault(name, []).append(value)
    return {
        name: values if name in _LISTS or len(values) > 1 else _value(name, values[0])
        for name, values in given.items()
    }


def _value(name: str, text: str) -> object:
    return True if name in _FLAGS and text == "true" else text
