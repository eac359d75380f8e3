"""The values of a provider's claim, or the reason why it is unreadable.

An unreadable claim is not an empty claim: it must not revoke anything.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.parsing.lenient_json import Unclear

NOT_THERE = frozenset({"absent", "null"})
"""The reasons for a claim that is missing in a document."""

_SEPARATOR = re.compile(r"[,\s]")
_ENCODED = ("[", "{", '"')


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A claim that could not be read, or not completely.

    `reason` is a constant word for the log. `partial` are the readable values: they may grant
    something, but missing values revoke nothing.
    """

    reason: str
    partial: frozenset[str] = field(default=frozenset(), repr=False)


Claimed = frozenset[str] | Unreadable


class Missing(Exception):
    """A claim is missing. The text is a constant reason."""


def find(claims: Mapping[str, Any], path: str) -> Any:
    """Return a claim by its name, or by a dotted path through objects. Raises Missing.

    Names may contain dots, as URLs do, so the longest existing name is used at each step. A null
    member counts as missing.
    """
    value: Any = claims
    rest = path
    while rest:
        if isinstance(value, Unclear):
            raise Missing(value.value)
        if not isinstance(value, Mapping):
            raise Missing("parent_not_object")
        name = next((name for name in _prefixes(rest) if value.get(name) is not None), None)
        if name is None:
            raise Missing("null" if rest in value else "absent")
        value, rest = value[name], rest[len(name) + 1 :]
    return value


def is_absent(value: Any) -> bool:
    """Return whether a value of one text is absent: null, or empty but for blanks."""
    return value is None or (isinstance(value, str) and not value.strip())


def why_not_text(value: Any) -> str | None:
    """Return why a value is not a readable text, None if it is one."""
    if isinstance(value, str):
        return None
    return value.value if value in (Unclear.DUPLICATE, Unclear.CHARACTERS) else "not_text"


def read(claims: Mapping[str, Any], path: str, known: Collection[str] = ()) -> Claimed:
    """Return the values of a claim, or why it is unreadable.

    A claim can be a list of strings, a string (separated by commas, or else by spaces), or an
    object whose names are the values. A string that is one of `known` is not separated.
    """
    try:
        claimed = values_of(find(claims, path), known)
    except Missing as missing:
        return Unreadable(_why_missing(claims, path, str(missing)))
    if _is_elsewhere(claims, path):
        # These may be some of the values that are elsewhere.
        return Unreadable("elsewhere", partial_of(claimed))
    return claimed


def first(documents: Collection[Mapping[str, Any]], path: str, known: Collection[str]) -> Claimed:
    """Return the claim of the first document in which it is readable.

    If there is none, return the reason of the first document that has the claim.
    """
    found: list[Unreadable] = []
    for document in documents:
        claimed = read(document, path, known)
        if not isinstance(claimed, Unreadable):
            return claimed
        found.append(claimed)
    return next((each for each in found if each.reason not in NOT_THERE), found[0])


def partial_of(claimed: Claimed) -> frozenset[str]:
    """Return the readable values."""
    return claimed.partial if isinstance(claimed, Unreadable) else claimed


def values_of(value: Any, known: Collection[str] = ()) -> Claimed:
    """Return the values of a JSON value, or why it is unreadable."""
    if isinstance(value, str):
        return _of_text(value.strip(), known)
    if isinstance(value, list):
        return _of_list(value)
    if isinstance(value, Mapping):
        return _of_object(value)
    if isinstance(value, Unclear):
        return Unreadable(value.value)
    return Unreadable("boolean" if isinstance(value, bool) else "number")


def of_attribute(values: Collection[str] | None) -> Claimed:
    """Return the values of a CAS attribute, None if it is missing.

    Each element is one value and is not separated. Empty elements are ignored.
    """
    if values is None:
        return Unreadable("absent")
    found = frozenset(filter(None, values))
    is_encoded = any(value.startswith(_ENCODED) for value in found)
    return Unreadable("encoded", found) if is_encoded else found


def _prefixes(path: str) -> Iterator[str]:
    """Yield a path and its prefixes, the longest first."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def _of_text(text: str, known: Collection[str]) -> Claimed:
    if text in known:
        return frozenset((text,))
    if text.startswith(_ENCODED):
        return Unreadable("encoded")  # JSON in a string: its parts are not values
    if ";" in text:
        return Unreadable("separator")
    parts = text.split(",") if "," in text else text.split()
    found = frozenset(filter(None, map(str.strip, parts)))
    if any(value in text and value not in found for value in known if _SEPARATOR.search(value)):
        return Unreadable("ambiguous")  # one value, or several values
    return found


def _of_list(value: list[Any]) -> Claimed:
    found = frozenset(each for each in value if isinstance(each, str))
    is_complete = all(isinstance(each, str) for each in value)
    return found if is_complete else Unreadable("list_members", found)


def _of_object(value: Mapping[str, Any]) -> Claimed:
    """Return the names of an object: `{"editor": {…}}` and `{"editor": true}` give `editor`."""
    found = frozenset(
        name for name, each in value.items() if each is True or isinstance(each, Mapping)
    )
    is_complete = all(each is None or isinstance(each, bool | Mapping) for each in value.values())
    return found if is_complete else Unreadable("object_members", found)


def _is_elsewhere(claims: Mapping[str, Any], path: str) -> bool:
    """Return whether a claim is distributed or aggregated (OpenID Connect Core 5.6.2)."""
    names = claims.get("_claim_names")
    if isinstance(names, Unclear):
        return True  # it may name the claim
    return isinstance(names, Mapping) and any(name in names for name in _prefixes(path))


def _why_missing(claims: Mapping[str, Any], path: str, reason: str) -> str:
    if _is_elsewhere(claims, path):
        return "elsewhere"
    if path == "groups" and claims.get("hasgroups") in (True, "true"):
        return "too_many"  # Entra ID: the groups are too many for the token
    return reason
