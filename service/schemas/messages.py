"""Fault messages for the command line. They name roles instead of list positions."""

import re
from collections.abc import Mapping

from service.errors import ValidationError
from service.parsing import harmless

_ROLE = re.compile(r"roles\[(\d+)\]", re.ASCII)
_SHOWN = 80  # characters


def in_words(invalid: ValidationError, value: object) -> list[str]:
    """Return a line for each fault in `value`. Roles are shown by name."""
    return [f"{_where(error['attribute'], value)}: {error['message']}" for error in invalid.errors]


def _where(attribute: str, value: object) -> str:
    place = _ROLE.fullmatch(attribute)
    roles = value.get("roles") if isinstance(value, Mapping) else None
    if place and isinstance(roles, (list, tuple)):
        return f"role {shown(roles[int(place[1])])}"
    return attribute if harmless.is_harmless(attribute) else shown(attribute)


def shown(value: object) -> str:
    """Return a value in quotes, with non-ASCII characters escaped."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
