"""Cookies: one strict reader for a value that is a credential, one writer (RFC 6265 4.1, 4.2.1)."""

from collections.abc import Iterable

from service import errors


def read(lines: Iterable[str], name: str) -> str | None:
    """Return the value of the cookie called exactly `name`, or None when there is none.

    `lines` are all `Cookie` header lines of the request. Only blanks around a pair are taken off;
    nothing is unquoted, decoded or merged. Raises CookieAmbiguous when the name comes twice.
    """
    found: str | None = None
    prefix = name + "="
    for line in lines:
        for pair in line.split(";"):
            bare = pair.strip(" ")
            if bare.startswith(prefix):
                if found is not None:
                    raise errors.CookieAmbiguous
                found = bare[len(prefix) :]
    return found


def lengths(lines: Iterable[str], prefix: str) -> dict[str, int]:
    """Return how long the cookies are whose names begin with `prefix`, in their order."""
    pairs = (pair.strip(" ") for line in lines for pair in line.split(";"))
    found = [pair for pair in pairs if pair.startswith(prefix) and "=" in pair]
    return {pair.partition("=")[0]: len(pair) for pair in found}


def write(  # the attributes that we use
    name: str, value: str, *, path: str, max_age: int, samesite: str, secure: bool
) -> str:
    """Write a `Set-Cookie` value, HttpOnly and of this host alone; to clear it, max_age is 0."""
    safe = "; Secure" if secure else ""
    return f"{name}={value}; HttpOnly{safe}; SameSite={samesite}; Path={path}; Max-Age={max_age}"
