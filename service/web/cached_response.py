"""A response that is sent many times. Its headers are serialized once.

A proxy sends a request to /auth/verify for each of its own requests, and gets the same answer until
the user or the session changes. Serializing an answer takes aiohttp a quarter of the time of an
empty handler.
"""

from collections.abc import Mapping

from aiohttp import web
from multidict import CIMultiDict


class CachedResponse(web.Response):
    """A 200 without a body that can be sent for many requests, also concurrently.

    `block` has its status line and headers after they were serialized. It can only be sent on a
    connection that stays open; `uncached` returns the same answer for all others.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers)
        self.block: bytes | None = None

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open. Always true."""
        return True

    def uncached(self) -> web.Response:
        """Return the same answer as an ordinary response."""
        return web.Response(headers=self.headers)


def written(status: int, reason: str, headers: CIMultiDict[str]) -> bytes:
    """Return a serialized status line and headers without the final empty line (RFC 9112 2.1).

    Raises ValueError if a header contains a line end.
    """
    lines = [
        f"HTTP/1.1 {status} {reason}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise ValueError("a header with a line end")
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
