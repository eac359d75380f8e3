"""The cookies of sign-in attempts: each attempt has its own, so that two tabs do not interfere.

A cookie has at most 4 KB, so a long state takes several: `<name>`, `<name>.1` and so on.
"""

import re
import zlib
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from service import errors
from service.parsing import base64url, urls
from service.web import context, cookies

SECONDS = 600
AT_MOST = 5
"""The number of attempts that a browser keeps."""
COOKIE_LENGTH = 3_800
MOST_COOKIES = 4
"""The maximum number of cookies of an attempt. The longest `next` fits in."""
ALL_LENGTH = 16_000
"""The maximum length of the cookies of all attempts, unless the newest alone is longer."""
ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
"""The ID of an attempt: 128 random bits."""
_PIECE = re.compile(rf"{ID.pattern}(?:\.[1-{MOST_COOKIES - 1}])?", re.ASCII)
_PACKED = "packed"
"""The member of a state with a long `next`, compressed, so that most fit into one cookie."""
_MOST_FORGOTTEN = 32

State = dict[str, Any]


def save(request: web.Request, leaf: str, attempt: str, state: State) -> list[str]:
    """Return the `Set-Cookie` values of a new attempt, and those that delete old ones.

    `state` has `next`, where the sign-in leads to. It is `/` if it is too long.
    """
    sealed = _sealed(request, leaf, attempt, state)
    starts = enumerate(range(0, len(sealed), COOKIE_LENGTH))
    pieces = {_name(attempt, n): sealed[start : start + COOKIE_LENGTH] for n, start in starts}
    lines = request.headers.getall("Cookie", ())
    old = dict.fromkeys(_to_forget(leaf, lines, len(sealed)), "")
    return [_cookie(request, leaf, name, piece) for name, piece in {**pieces, **old}.items()]


def load(request: web.Request, leaf: str, attempt: str) -> State:
    """Return the state of this browser's attempt. Raises AttemptUnknown."""
    if not ID.fullmatch(attempt):
        raise errors.AttemptUnknown
    lines = request.headers.getall("Cookie", ())
    names = (_prefix(leaf) + _name(attempt, number) for number in range(MOST_COOKIES))
    try:
        sealed = "".join(cookies.read(lines, name) or "" for name in names)
    except errors.CookieAmbiguous:
        raise errors.AttemptUnknown from None
    seals = request.app[context.ENCRYPTED]
    facts = seals.decrypt(_purpose(leaf, attempt), sealed, max_age=SECONDS)
    if facts is None:
        raise errors.AttemptUnknown
    state = dict(facts)
    if _PACKED in state:
        state["next"] = zlib.decompress(base64url.decode(state.pop(_PACKED).encode())).decode()
    return state


def forget(request: web.Request, leaf: str, attempt: str) -> list[str]:
    """Return the `Set-Cookie` values that delete an attempt."""
    sent = cookies.lengths(request.headers.getall("Cookie", ()), _prefix(leaf) + attempt)
    more = [_name(attempt, number) for number in range(1, MOST_COOKIES)]
    names = [attempt, *(name for name in more if _prefix(leaf) + name in sent)]
    return [_cookie(request, leaf, name, "") for name in names]


def kept(request: web.Request, leaf: str) -> list[str]:
    """Return the IDs in the names of the cookies of attempts, the oldest first."""
    prefix = _prefix(leaf)
    names = cookies.lengths(request.headers.getall("Cookie", ()), prefix)
    return list(dict.fromkeys(name.removeprefix(prefix).partition(".")[0] for name in names))


def _sealed(request: web.Request, leaf: str, attempt: str, state: State) -> str:
    seals, purpose = request.app[context.ENCRYPTED], _purpose(leaf, attempt)
    sealed = seals.encrypt(purpose, state)
    if len(sealed) > COOKIE_LENGTH:
        packed = base64url.encode(zlib.compress(state["next"].encode(), 9)).decode()
        sealed = seals.encrypt(purpose, {**state, "next": "", _PACKED: packed})
    if len(sealed) > MOST_COOKIES * COOKIE_LENGTH:
        sealed = seals.encrypt(purpose, {**state, "next": urls.HOME})
    return sealed


def _to_forget(leaf: str, lines: Iterable[str], fresh_length: int) -> list[str]:
    """Return the cookies of old attempts to delete when a new one starts, without the prefix.

    All cookies must fit into one header line together with the session. Browsers send the oldest
    first. A response deletes a limited number; the next one deletes more.
    """
    prefix = _prefix(leaf)
    lengths = {
        name.removeprefix(prefix): length for name, length in cookies.lengths(lines, prefix).items()
    }
    pieces: dict[str, list[str]] = {}
    for name in lengths:
        pieces.setdefault(name.partition(".")[0], []).append(name)
    forgotten, length = list[str](), fresh_length
    for count, names in enumerate(reversed(pieces.values()), start=2):
        length += sum(lengths[name] for name in names)
        if count > AT_MOST or length > ALL_LENGTH:
            forgotten += filter(_PIECE.fullmatch, names)
    return forgotten[-_MOST_FORGOTTEN:]


def _name(attempt: str, number: int) -> str:
    """Return the name of a cookie of an attempt, without the prefix."""
    return f"{attempt}.{number}" if number else attempt


def _prefix(leaf: str) -> str:
    return f"latchkey_{leaf}_"


def _purpose(leaf: str, attempt: str) -> str:
    return f"attempt {leaf} {attempt}"


def _cookie(request: web.Request, leaf: str, name: str, value: str) -> str:
    return cookies.write(
        _prefix(leaf) + name,
        value,
        path=f"/auth/{leaf}",
        max_age=SECONDS if value else 0,
        samesite="Lax",
        secure=request.app[context.CONFIG].cookie_secure,
    )
