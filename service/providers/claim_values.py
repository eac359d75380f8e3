"""What a claim of a provider says: its values, or why it cannot be read.

A claim that cannot be read is not a claim without values: nothing may be taken away because of it.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

NOT_THERE = frozenset({"absent", "null"})
"""The reasons for a claim that a document does not have at all."""

_SEPARATOR = re.compile(r"[,\s]")
_ENCODED = ("[", "{", '"')


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A claim that was not read, or not completely.

    `reason` is a constant word for the log. `partial` are the values that could be read all the
    same: they may give something, and their absence takes nothing.
    """

    reason: str
    partial: frozenset[str] = field(default=frozenset(), repr=False)


Claimed = frozenset[str] | Unreadable


class Missing(Exception):
    """A claim that is not there; the text is the reason, a constant word."""


def find(claims: Mapping[str, Any], path: str) -> Any:
    """Return a claim by its name, or by a path through objects, with dots. Raises Missing.

    A name may contain dots itself, as an address does: at each step the longest name that exists
    counts. A member that is null is missing.
    """
    value: Any = claims
    rest = path
    while rest:
        if not isinstance(value, Mapping):
            raise Missing("parent_not_object")
        name = next((name for name in _prefixes(rest) if value.get(name) is not None), None)
        if name is None:
            raise Missing("null" if rest in value else "absent")
        value, rest = value[name], rest[len(name) + 1 :]
    return value


def read(claims: Mapping[str, Any], path: str, known: Collection[str] = ()) -> Claimed:
    """Return the values of a claim, or why they cannot be read.

    Read are a list of texts, one text (separated by commas, or else by blanks), and an object whose
    names are the values. `known` are the values that matter: a text that is one of them is not
    separated.
    """
    try:
        claimed = values_of(find(claims, path), known)
    except Missing as missing:
        return Unreadable(_why_missing(claims, path, str(missing)))
    if _is_elsewhere(claims, path):
        # The values that stand here may be some of those that are elsewhere.
        return Unreadable("elsewhere", partial_of(claimed))
    return claimed


def first(documents: Collection[Mapping[str, Any]], path: str, known: Collection[str]) -> Claimed:
    """Return what the first document says in which the claim can be read.

    If it can be read in none, the reason is that of the first in which there is something.
    """
    found: list[Unreadable] = []
    for document in documents:
        claimed = read(document, path, known)
        if not isinstance(claimed, Unreadable):
            return claimed
        found.append(claimed)
    return next((each for each in found if each.reason not in NOT_THERE), found[0])


def partial_of(claimed: Claimed) -> frozenset[str]:
    """Return the values that were read, completely or not."""
    return claimed.partial if isinstance(claimed, Unreadable) else claimed


def values_of(value: Any, known: Collection[str] = ()) -> Claimed:
    """Return the values that a member of JSON has, or why they cannot be read."""
    if isinstance(value, str):
        return _of_text(value.strip(), known)
    if isinstance(value, list):
        return _of_list(value)
    if isinstance(value, Mapping):
        return _of_object(value)
    return Unreadable("boolean" if isinstance(value, bool) else "number")


def of_attribute(values: Collection[str] | None) -> Claimed:
    """Return the values of an attribute in an answer of a CAS server; None if it has none.

    Each element is one value, and is never separated; an empty one is none.
    """
    if values is None:
        return Unreadable("absent")
    found = frozenset(filter(None, values))
    is_encoded = any(value.startswith(_ENCODED) for value in found)
    return Unreadable("encoded", found) if is_encoded else found


def _prefixes(path: str) -> Iterator[str]:
    """Yield a path, and what is left of it as its last parts are taken away one by one."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def _of_text(text: str, known: Collection[str]) -> Claimed:
    if text in known:
        return frozenset((text,))
    if text.startswith(_ENCODED):
        return Unreadable("encoded")  # JSON in a text: its parts would be no values
    if ";" in text:
        return Unreadable("separator")
    parts = text.split(",") if "," in text else text.split()
    found = frozenset(filter(None, map(str.strip, parts)))
    if any(value in text and value not in found for value in known if _SEPARATOR.search(value)):
        return Unreadable("ambiguous")  # it may be this value, or several that are parts of it
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
    """Tell whether a claim is distributed or aggregated (OpenID Connect Core section 5.6.2)."""
    names = claims.get("_claim_names")
    return isinstance(names, Mapping) and any(name in names for name in _prefixes(path))


def _why_missing(claims: Mapping[str, Any], path: str, reason: str) -> str:
    if _is_elsewhere(claims, path):
        return "elsewhere"
    if path == "groups" and claims.get("hasgroups") in (True, "true"):
        return "too_many"  # Entra ID: the groups are too many for the token
    return reason
