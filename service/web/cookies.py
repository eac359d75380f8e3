"""A strict reader for credential cookies, and a writer (RFC 6265 sections 4.1, 4.2.1)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

from service import errors

# Whitespace and control characters that servers strip. The last range: undecodable bytes.
_BLANK = r"\s\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff\udc80-\udca0"

MOST_PAIRS = 1000
"""The maximum number of cookies to compare. Browsers keep about 200 per site."""
MOST_CANDIDATES = 200
"""The maximum number of cookies of one name, as many as browsers keep per site."""
MOST_ENCODED = 500
"""The maximum number of `%` in cookie names to decode. Frameworks use a few."""


def read(lines: Iterable[str], name: str) -> str | None:
    """Return the value of the cookie with exactly this name, or None.

    `lines` are all `Cookie` header lines. Only spaces around a pair are stripped; nothing is
    unquoted, decoded or merged. Raises CookieAmbiguous if the name occurs more than once, also in a
    spelling that another server would parse as this name, because it would use another cookie. Also
    raises it if there are too many cookies to compare and the name is among them.
    """
    lines, prefix = tuple(lines), name + "="
    if len(lines) == 1 and lines[0].count(name) < 2 and "%" not in lines[0]:
        return _only(lines[0], prefix)  # the usual case
    if sum(line.count(";") for line in lines) > MOST_PAIRS:
        if any(name in line for line in lines):
            raise errors.CookieAmbiguous
        return None
    if _count(lines, name) > 1:
        raise errors.CookieAmbiguous
    pairs = (pair.strip(" ") for line in lines for pair in line.split(";"))
    return next((pair[len(prefix) :] for pair in pairs if pair.startswith(prefix)), None)


def candidates(lines: Iterable[str], name: str) -> list[str]:
    """Return all values of cookies with exactly this name. Only to end their sessions.

    Raises CookieAmbiguous if there are too many cookies to read, or over 200 of this name.
    """
    lines, prefix = tuple(lines), name + "="
    if sum(line.count(";") for line in lines) > MOST_PAIRS:
        raise errors.CookieAmbiguous
    pairs = (pair.strip(" ") for line in lines for pair in line.split(";"))
    found = [pair[len(prefix) :] for pair in pairs if pair.startswith(prefix)]
    if len(found) > MOST_CANDIDATES:
        raise errors.CookieAmbiguous
    return found


def _only(line: str, prefix: str) -> str | None:
    """Return the value of a cookie that occurs at most once in a line."""
    before, found, rest = line.partition(prefix)
    before = before.rstrip(" ")
    if not found or (before and before[-1] != ";"):
        return None
    return rest.partition(";")[0].rstrip(" ")


def _count(lines: Iterable[str], name: str) -> int:
    """Return how often a less strict server could find `name`."""
    encoded = [found for line in lines if "%" in line for found in _encoded_names(line)]
    plain = sum(line.count(name) for line in lines)
    if len(encoded) + plain < 2:
        return 0  # the usual case: nothing to compare
    if plain > MOST_PAIRS or sum(each.count("%") for each in encoded) > MOST_ENCODED:
        return 2 if plain else 0
    spelt = _spellings(name)
    return sum(len(spelt.findall(line)) for line in lines) + sum(
        spelt.fullmatch(unquote(each) + "=") is not None for each in encoded
    )


def _encoded_names(line: str) -> Iterable[str]:
    """Return the percent-encoded names in a line, which some servers decode."""
    names = (pair.partition("=")[0] for pair in line.split(";"))
    return (name for name in names if "%" in name)


@lru_cache(maxsize=64)
def _spellings(name: str) -> re.Pattern[str]:
    """Return a pattern for all spellings of a name.

    The name is at the start or after `;`, `,` or a space, optionally in quotes and surrounded by
    spaces, and before `=`. It has no `=` only if it is alone between two `;`.
    """
    exact = re.escape(name)
    return re.compile(
        rf'(?:(?<![^{_BLANK};,])"?|^[{_BLANK}]*+){exact}[{_BLANK}"]*+=|(?:^|;)[{_BLANK}]*+{exact}[{_BLANK}]*+(?=;|$)'
    )


def lengths(lines: Iterable[str], prefix: str) -> dict[str, int]:
    """Return the lengths of the cookies whose names start with `prefix`, in order."""
    pairs = (pair.strip(" ") for line in lines if prefix in line for pair in line.split(";"))
    found = [pair for pair in pairs if pair.startswith(prefix) and "=" in pair]
    return {pair.partition("=")[0]: len(pair) for pair in found}


def write(  # noqa: PLR0913  # the attributes that we use
    name: str,
    value: str,
    *,
    path: str,
    max_age: int,
    samesite: str,
    secure: bool,
    domain: str | None = None,
) -> str:
    """Write a `Set-Cookie` value, HttpOnly; to clear the cookie, `max_age` is 0 seconds.

    Without `domain` it is for this host only.
    """
    safe = "; Secure" if secure else ""
    of_domain = f"; Domain={domain}" if domain else ""
    return (
        f"{name}={value}; HttpOnly{safe}; SameSite={samesite}; Path={path}{of_domain}"
        f"; Max-Age={max_age}"
    )
