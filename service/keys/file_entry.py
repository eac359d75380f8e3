"""An entry of the key file: the JWK, the state of the key and the dates of its states.

A key goes from *published* (public, does not sign yet) to *signing*, to *verifying* (its tokens
are valid until they expire), to *retired* (its private part is deleted).
"""

import importlib
import time
from calendar import timegm
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from service.keys import jwk
from service.keys.key import Root
from service.parsing.dates import FORM, rfc3339

PUBLISHED, SIGNING, VERIFYING, RETIRED = STATES = ("published", "signing", "verifying", "retired")
MEMBER = "latchkey"
_MAX_KID = 128

# time.strptime imports it at its first use. Root may have another user's rights then.
importlib.import_module("_strptime")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key in the file. `dates` are seconds since 1970, by state; `root` is None once retired."""

    kid: str
    algorithm: str
    state: str
    dates: Mapping[str, int]
    members: jwk.Members = field(repr=False)
    root: Root | None = field(repr=False, compare=False)

    def since(self, state: str) -> int | None:
        """Return when the key entered a state, None if unknown."""
        return self.dates.get(state)

    def moved(self, state: str, now: int) -> "Entry":
        """Return the entry in another state. A retired entry has no private part."""
        moved = replace(self, state=state, dates={**self.dates, state: now})
        if state != RETIRED:
            return moved
        return replace(moved, members=jwk.without_private(self.members), root=None)


Entries = tuple[Entry, ...]


def fresh(algorithm: str, state: str, now: int) -> Entry:
    """Return a new key with its thumbprint as `kid` (RFC 7638)."""
    while True:
        members = jwk.generate(algorithm)
        kid = jwk.thumbprint(members)
        if not kid.startswith("-"):  # it would look like an option on a command line
            break
    dates = dict.fromkeys((PUBLISHED, state), now)
    return Entry(kid, algorithm, state, dates, members, jwk.read(members, kid))


def read(members: object, *, alone: bool) -> Entry:
    """Return the entry of a JWK. Raises ValueError with the error.

    A JWK without a state, as other tools create it, signs if it is `alone`: the only one of its
    type.
    """
    if not isinstance(members, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004  # of the file, not of a program
    algorithm = jwk.algorithm_of(members)
    state, dates = _read_states(members, alone=alone)
    kid = members["kid"] if "kid" in members else jwk.thumbprint(members)
    if not isinstance(kid, str) or not kid.isprintable() or not 0 < len(kid) <= _MAX_KID:
        raise ValueError(f"must have a kid of 1 to {_MAX_KID} printable characters")
    root = None if state == RETIRED else jwk.read(members, kid)
    plain = {name: value for name, value in members.items() if name != MEMBER}
    return Entry(kid, algorithm, state, dates, plain, root)


def write(entry: Entry) -> dict[str, Any]:
    """Return the JWK of an entry, in the format of `read`."""
    dates = {f"{state}_at": rfc3339(at) for state, at in entry.dates.items()}
    return {
        **entry.members,
        "kid": entry.kid,
        "alg": entry.algorithm,
        MEMBER: {"state": entry.state, **dates},
    }


def check_together(entries: Sequence[Entry]) -> None:
    """Raise ValueError if entries conflict with each other."""
    kids, prints = set(), set()
    signing: set[str] = set()
    for entry in entries:
        if entry.kid in kids:
            raise ValueError(f"the kid {entry.kid} is not unique")
        shape = jwk.thumbprint(entry.members)
        if shape in prints:
            raise ValueError(f"the key {entry.kid} is also in the file under another kid")
        if entry.state == SIGNING and entry.algorithm in signing:
            raise ValueError(
                f"two {entry.algorithm} keys are {SIGNING}: set the state of one to {VERIFYING}"
            )
        kids.add(entry.kid)
        prints.add(shape)
        signing |= {entry.algorithm} if entry.state == SIGNING else set()


def _read_states(members: jwk.Members, *, alone: bool) -> tuple[str, dict[str, int]]:
    if MEMBER not in members:
        if alone:
            return SIGNING, {}
        raise ValueError(
            f'has no state, and the file has other keys of its type: add "{MEMBER}": {{"state":'
            ' "published"}, or use `key generate`'
        )
    found = members[MEMBER]
    state = found.get("state") if isinstance(found, dict) else None
    if state not in STATES:
        raise ValueError(
            f"must have the state {', '.join(STATES[:-1])} or {STATES[-1]} ({MEMBER}.state)"
        )
    dates = {each: _date(found[f"{each}_at"]) for each in STATES if f"{each}_at" in found}
    return state, dates


def _date(text: object) -> int:
    try:
        return timegm(time.strptime(str(text), FORM))
    except ValueError:
        raise ValueError(f"has a date that is not like {rfc3339(0)} ({MEMBER})") from None
