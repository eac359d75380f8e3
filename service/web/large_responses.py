"""Large responses: a limited number at once, sent in pieces, closed if the client is slow."""

import asyncio
import io
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NoReturn

from aiohttp import web
from aiohttp.payload import BytesIOPayload

from service.limits.budgets import Pace
from service.system.descriptors import most_connections

FROM_BYTES = 16_384
"""The minimum size of a large response."""
AT_ONCE = 64
BYTES_PER_SECOND = 16 * 2**20
_SLOW_SECONDS = 1.0
PATIENCE_SECONDS = 1.0
HELD_SHARE = 8
"""One in this many connections may wait for a large response."""


class LargeAnswers:
    """The large responses in progress. Each uses about 200 KiB while its client does not read."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._pace = Pace(
            BYTES_PER_SECOND,
            burst=BYTES_PER_SECOND / 4,
            patience=PATIENCE_SECONDS,
            held=most_connections() // HELD_SHARE,
            ticks=ticks,
        )
        self._sending: OrderedDict[_Large, float] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of responses in progress."""
        return len(self._sending)

    @property
    def is_full(self) -> bool:
        """Whether a long answer is refused now."""
        return self._pace.is_full or self._has_no_place()

    async def answer(
        self, request: web.Request, body: bytes, headers: Mapping[str, str]
    ) -> web.Response:
        """Return a response when there is room for it. Raises Overloaded.

        If there is no room, the oldest response is closed if its client reads slowly.
        """
        if len(body) < FROM_BYTES or request.method == "HEAD":
            return web.Response(body=body, headers=headers)
        await self._pace.turn(len(body))
        if self._has_no_place():
            self._pace.give_back(len(body))
            await self.refuse()
        if len(self._sending) >= AT_ONCE:
            oldest = next(iter(self._sending))
            self.sent(oldest)
            oldest.give_up()
        answer = _Large(self, request.transport, body, headers)
        self._sending[answer] = self._ticks()
        return answer

    async def refuse(self) -> NoReturn:
        """Raise Overloaded after a delay, to slow down clients that retry."""
        await self._pace.refuse()

    async def hold(self) -> None:
        """Wait for half of that time, so that a client in a loop sends fewer requests."""
        await self._pace.hold(0.5)

    def sent(self, answer: "_Large") -> None:
        """Remove an answer that has been sent, or never will be. Others get what it did not use."""
        if self._sending.pop(answer, None) is not None:
            self._pace.give_back(answer.unsent_bytes)

    def _has_no_place(self) -> bool:
        """Tell whether the most answers are being sent, and none of them for long."""
        if len(self._sending) < AT_ONCE:
            return False
        return self._ticks() - next(iter(self._sending.values())) < _SLOW_SECONDS


class _Large(web.Response):
    """A response whose body is sent in pieces."""

    def __init__(
        self,
        answers: LargeAnswers,
        transport: asyncio.Transport | None,
        body: bytes,
        headers: Mapping[str, str],
    ) -> None:
        self._source, self._size = io.BytesIO(body), len(body)
        super().__init__(body=BytesIOPayload(self._source), headers=headers)
        self._answers = answers
        self._is_sent = False
        self._transport = transport

    @property
    def unsent_bytes(self) -> int:
        """How many bytes of the body the system has not taken."""
        if self._is_sent:
            return 0
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return min(self._size, self._size - self._source.tell() + waiting)

    def give_up(self) -> None:
        """Close the connection. Discards data that the client has not read."""
        if self._transport is not None:
            self._transport.abort()

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the body."""
        try:
            await super().write_eof(data)
            self._is_sent = True
        finally:
            self._answers.sent(self)
