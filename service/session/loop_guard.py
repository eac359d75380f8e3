"""A guard against endless sign-in loops: counts the recent sign-ins of a browser."""

from collections.abc import Iterable

from service import errors
from service.tokens.encrypted import EncryptedValues
from service.web import cookies

NAME = "latchkey_returns"
PATH = "/auth"
SECONDS = 60
_PURPOSE = "returns"
_AT_MOST = 8


def recent(seals: EncryptedValues, lines: Iterable[str]) -> list[int]:
    """Return the times of recent sign-ins, in seconds since 1970, from the `Cookie` lines."""
    try:
        text = cookies.read(lines, NAME)
    except errors.CookieAmbiguous:
        return []
    found = None if text is None else seals.decrypt(_PURPOSE, text, max_age=SECONDS)
    return [] if found is None else [at for at in found if at > seals.now() - SECONDS]


def record(seals: EncryptedValues, lines: Iterable[str], *, secure: bool) -> str:
    """Return the `Set-Cookie` value that adds a sign-in."""
    counted = [*recent(seals, lines), seals.now()][-_AT_MOST:]
    return _cookie(seals.encrypt(_PURPOSE, counted), SECONDS, secure=secure)


def clear(*, secure: bool) -> str:
    """Return the `Set-Cookie` value that resets the count."""
    return _cookie("", 0, secure=secure)


def _cookie(value: str, max_age: int, *, secure: bool) -> str:
    return cookies.write(NAME, value, path=PATH, max_age=max_age, samesite="Lax", secure=secure)
