"""Request heads and their limits: one that is too long gets an answer of its own."""

import re
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader

from service.limits.client_limits import HEAD_BYTES, HEAD_LINES, LINE_BYTES
from service.server.connection_state import Watched

END = b"\r\n\r\n"
"""The end of a head."""
_ACCEPT = re.compile(rb"\naccept:([^\r\n]*)", re.IGNORECASE)
_READ_BYTES = 2**16


class HeadLimits(Watched):
    """Feeds the parser a head, and finds out whether it is too long.

    The parser's own limits are larger, because its errors do not tell the reason or the headers.
    """

    __slots__ = ("_head_size", "_long", "_skipped", "accepted", "is_cut")

    def __init__(self, server: web.Server, **options: Any) -> None:
        super().__init__(
            server,
            max_line_size=HEAD_BYTES,
            max_field_size=HEAD_BYTES,
            max_headers=HEAD_LINES,
            **options,
        )
        # The bytes of the newest head while it is incomplete.
        self._head_size = 0
        # The request whose head is too long.
        self._long: RawRequestMessage | None = None
        # The parser got only the start of the newest head, and gets nothing more.
        self.is_cut = False
        # Ends when the client closes its side.
        self._skipped: StreamReader | None = None
        # `Accept` in a head that the parser rejected.
        self.accepted = ""

    def _parse_head(self, piece: bytes) -> bool:
        """Pass a piece of a head to the parser. Return whether there is a new request."""
        count = self._request_count
        self._head_size += len(piece)
        self.is_cut = self._head_size > HEAD_BYTES
        super().data_received(self._start_of(piece) if self.is_cut else piece)
        if self._request_count == count:
            return False
        message = self._messages[-1][0]
        if self.is_cut and isinstance(message, RawRequestMessage):
            self._long = message
        elif self._head_size > LINE_BYTES:
            self._check_lines()
        if self._is_refused():
            self.accepted = _accept_in(piece)
        if self.is_cut or self.has_long or self._is_refused():
            self._skip_the_rest()
        self._head_size = 0
        return True

    @property
    def has_long(self) -> bool:
        """Whether the head of a request was too long: nothing after it is parsed."""
        return self._long is not None

    def is_long(self, request: web.BaseRequest) -> bool:
        """Return whether the head of a request is too long."""
        return self._long is not None and self._long is request._message  # noqa: SLF001

    def _is_refused(self) -> bool:
        """Return whether the parser rejected the newest request."""
        return bool(self._messages) and not isinstance(self._messages[-1][0], RawRequestMessage)

    def _check_lines(self) -> None:
        """Record the newest request if its target or a header is too long."""
        message = self._messages[-1][0]
        if isinstance(message, RawRequestMessage) and (
            len(message.path) > LINE_BYTES
            or any(max(map(len, header)) > LINE_BYTES for header in message.raw_headers)
        ):
            self._long = message

    def _start_of(self, piece: bytes) -> bytes:
        """Return what the parser gets of a head that is too long: the start, as if it ended there.

        So the request gets an answer of the right kind. What follows is never parsed.
        """
        start = piece[: len(piece) - (self._head_size - HEAD_BYTES)]
        whole, line_end, _ = start.rpartition(b"\r\n")
        return whole + END if line_end else start + END

    def _skip_the_rest(self) -> None:
        """Read and drop what follows the newest request, for a short time after its answer.

        If the connection closed with unread data, the system would reset it. The answer could get
        lost, and a proxy would count a failure of this server.
        """
        message, _ = self._messages[-1]
        self._skipped = StreamReader(self, _READ_BYTES, loop=self._loop)
        self._messages[-1] = (message, self._skipped)

    @property
    def is_skipping(self) -> bool:
        """Whether received data is dropped, because the newest request was refused unread."""
        return self._skipped is not None


def _accept_in(piece: bytes) -> str:
    """Return the values of `Accept` in a piece of a head."""
    return ", ".join(found.decode("latin-1").strip() for found in _ACCEPT.findall(piece))
