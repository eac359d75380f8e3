"""The published documents of the feed. Concurrent requests share a document."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

from service.limits.budgets import Lane
from service.limits.byte_cache import Bounded
from service.revocation.events import Page

SHARED_SECONDS = 1.0
KEPT_BYTES = 8 * 2**20
RECENT = 100
"""A `since` at most this far behind has a small document."""
WAITING = 8
REST = 4.0
LONG = 10_000
"""The maximum number of rows in a document."""
SHORT = 200
"""The maximum number of rows while too many long documents are requested: under 16 KiB."""
NEAR = 6_400
"""A `since` at most so far behind can be answered by a short document, whatever it is."""
BLOCKS_WAITING = 250
"""How many blocks further behind wait to be made: work of some seconds."""
BLOCKS_SHARED_SECONDS = 10.0
BLOCKS_KEPT_BYTES = 32 * 2**20
"""Those of 400,000 rows."""

_PAGES = 1000


class Key(NamedTuple):
    """The cache key of a document. `signer` identifies the issuer and its signing key.

    `state` applies to all tokens. It is part of the entity tag and of the document.
    """

    since: int
    newest: int
    signer: str
    state: str


class Document(NamedTuple):
    """A signed document. `continues_at` is the `since` of the next page, None on the last one.

    Pages end at multiples of 200, so that short documents can go on there.
    """

    body: bytes
    continues_at: int | None = None


Make = Callable[[], Awaitable[Document]]
_T = TypeVar("_T")


class _Shared(Generic[_T]):
    """A value that callers share for a second."""

    def __init__(
        self,
        size: Callable[[_T], int],
        ticks: Callable[[], float],
        *,
        seconds: float = SHARED_SECONDS,
        most_bytes: int = KEPT_BYTES,
    ) -> None:
        self._ticks = ticks
        self._seconds = seconds
        self.kept: Bounded[Key, tuple[_T, float]] = Bounded(
            most_bytes, lambda _, kept: size(kept[0]) + 1024
        )
        self._making: dict[Key, asyncio.Task[_T]] = {}

    async def get(self, key: Key, lane: Lane, make: Callable[[], Awaitable[_T]]) -> _T:
        """Return the value of the last second, or make it now in the lane."""
        kept = self.kept.get(key)
        if kept is not None and self._ticks() - kept[1] < self._seconds:
            return kept[0]
        making = self._making.get(key)
        if making is None:
            lane.require_room()
            making = asyncio.create_task(lane.run(lambda: self._make(key, make)))
            self._making[key] = making
            making.add_done_callback(lambda _: self._making.pop(key))
        return await asyncio.shield(making)

    async def _make(self, key: Key, make: Callable[[], Awaitable[_T]]) -> _T:
        made_at = self._ticks()
        made = await make()
        self.kept.put(key, (made, made_at))
        return made


class Documents:
    """The documents of one process.

    There are as many documents as values of `since`, so lanes keep apart what is made: the pages of
    the whole feed, the last few rows, and all else. Many values of `since` fill the last lane
    alone. A follower who finds it full gets what is shared: of the last 6,400 rows there are only
    33 parts, and from each a short document is quickly made. The whole feed has blocks, one for
    each 200 numbers: a client that reads them one after another needs no long answer.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._documents: _Shared[Document] = _Shared(lambda document: len(document.body), ticks)
        self._blocks: _Shared[Document] = _Shared(lambda document: len(document.body), ticks)
        self._old_blocks: _Shared[Document] = _Shared(
            lambda document: len(document.body),
            ticks,
            seconds=BLOCKS_SHARED_SECONDS,
            most_bytes=BLOCKS_KEPT_BYTES,
        )
        self._parts: _Shared[Page] = _Shared(lambda page: 1024 * len(page.rows), ticks)
        self._pages: OrderedDict[int, None] = OrderedDict()
        self._from_start = Lane(waiting=WAITING, rest=REST, ticks=ticks)
        self._recent = Lane(waiting=RECENT, rest=1.0, ticks=ticks)
        self._others = Lane(waiting=WAITING, rest=REST, ticks=ticks)
        self._short = Lane(waiting=RECENT, rest=1.0, ticks=ticks)
        self._whole = Lane(waiting=BLOCKS_WAITING, rest=1.0, ticks=ticks)

    async def get(self, key: Key, make: Make) -> bytes:
        """Return a document that is at most a second old, or make one with `make`.

        Raises Overloaded, and what `make` raises.
        """
        is_page = self.is_page(key.since)
        document = await self._documents.get(key, self._lane(key), make)
        if is_page and document.continues_at is not None:
            self._pages[document.continues_at] = None
            self._pages.move_to_end(document.continues_at)
            if len(self._pages) > _PAGES:
                self._pages.popitem(last=False)
        return document.body

    async def part(self, key: Key, read: Callable[[int, int], Awaitable[Page]]) -> Page:
        """Return the first rows after `key.since`, from a shared part of at most 200 rows.

        `read` gets a position and a number of rows. Raises Overloaded, and what `read` raises.
        """
        start = key.since // SHORT * SHORT
        page = await self._parts.get(
            key._replace(since=start), self._short, lambda: read(start, SHORT)
        )
        return replace(page, rows=[row for row in page.rows if row["seq"] > key.since])

    async def block(self, key: Key, make: Make) -> bytes:
        """Return the document of the first block after `key.since`, a multiple of 200.

        A block with another behind it is complete, whatever is appended: it is shared by all who
        ask within a second, or 10 s if it is over 6,400 rows behind. Raises Overloaded, and what
        `make` raises.
        """
        is_near = key.newest - key.since <= NEAR
        lane, blocks = (self._short, self._blocks) if is_near else (self._whole, self._old_blocks)
        document = await blocks.get(key._replace(newest=0), lane, make)
        if document.continues_at is None:
            document = await self._blocks.get(key, lane, make)
        return document.body

    def is_page(self, since: int) -> bool:
        """Return whether a page of the whole feed starts at a position."""
        return since == 0 or since in self._pages

    def _lane(self, key: Key) -> Lane:
        if key.newest - key.since <= RECENT:
            return self._recent
        return self._from_start if self.is_page(key.since) else self._others
