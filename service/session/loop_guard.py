"""How often a browser was given a session in the last minute: what breaks an endless sign-in."""

from collections.abc import Iterable

from service import errors
from service.tokens.encrypted import Seals
from service.web import cookies

NAME = "latchkey_returns"
PATH = "/auth"
SECONDS = 60
_PURPOSE = "returns"
_AT_MOST = 8


def times(seals: Seals, lines: Iterable[str]) -> list[int]:
    """Return when that was, in seconds since 1970, from the request's `Cookie` lines."""
    try:
        text = cookies.read(lines, NAME)
    except errors.CookieAmbiguous:
        return []
    found = None if text is None else seals.open(_PURPOSE, text, seconds=SECONDS)
    return [] if found is None else [at for at in found if at > seals.now() - SECONDS]


def note(seals: Seals, lines: Iterable[str], *, secure: bool) -> str:
    """Return the `Set-Cookie` value that counts one more."""
    counted = [*times(seals, lines), seals.now()][-_AT_MOST:]
    return _cookie(seals.seal(_PURPOSE, counted), SECONDS, secure=secure)


def forget(*, secure: bool) -> str:
    """Return the `Set-Cookie` value that counts anew."""
    return _cookie("", 0, secure=secure)


def _cookie(value: str, max_age: int, *, secure: bool) -> str:
    return cookies.write(NAME, value, path=PATH, max_age=max_age, samesite="Lax", secure=secure)
