"""One strict reader of the `Cookie` header, for a value that is a credential (RFC 6265 4.2.1)."""

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
