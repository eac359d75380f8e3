"""The documents of the published feed: each is made once for all who ask for it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from service.limits.budgets import Lane
from service.limits.byte_cache import Bounded

SHARED_SECONDS = 1.0
KEPT_BYTES = 8 * 2**20
RECENT = 100
"""A `since` at most so far behind is one of few, and its document is small."""
WAITING = 8
REST = 4.0

_PAGES = 1000


class Key(NamedTuple):
    """What a document depends on. `signer` tells the issuer and its signing key from others.

    `state` is what holds for all tokens: an answer's entity tag names it, so its document has it.
    """

    since: int
    newest: int
    signer: str
    state: str


class Document(NamedTuple):
    """A signed document. `continues_at` is the `since` of the next page, None on the last one."""

    body: bytes
    continues_at: int | None = None


class _Kept(NamedTuple):
    document: Document
    made_at: float


Make = Callable[[], Awaitable[Document]]


class Documents:
    """The memory of one process.

    There are as many documents as values of `since`, so three lanes keep apart what is made: what
    everybody asks for who starts anew (from 0, page by page), what followers ask for (a few rows),
    and all else. Whoever asks for many long documents fills the last lane alone.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._kept: Bounded[Key, _Kept] = Bounded(KEPT_BYTES, _size)
        self._making: dict[Key, asyncio.Task[Document]] = {}
        self._pages: OrderedDict[int, None] = OrderedDict()
        self._from_start = Lane(waiting=WAITING, rest=REST, ticks=ticks)
        self._recent = Lane(waiting=RECENT, rest=1.0, ticks=ticks)
        self._others = Lane(waiting=WAITING, rest=REST, ticks=ticks)

    async def get(self, key: Key, make: Make) -> bytes:
        """Return a document that was made by `make` within the last second, or is made now.

        Raises Overloaded, and what `make` raises.
        """
        kept = self._kept.get(key)
        if kept is not None and self._ticks() - kept.made_at < SHARED_SECONDS:
            return kept.document.body
        making = self._making.get(key)
        if making is None:
            lane = self._lane(key)
            lane.require_room()
            making = asyncio.create_task(lane.run(lambda: self._make(key, make)))
            self._making[key] = making
            making.add_done_callback(lambda _: self._making.pop(key))
        return (await asyncio.shield(making)).body

    def _lane(self, key: Key) -> Lane:
        if key.newest - key.since <= RECENT:
            return self._recent
        return self._from_start if key.since == 0 or key.since in self._pages else self._others

    async def _make(self, key: Key, make: Make) -> Document:
        is_page = key.since == 0 or key.since in self._pages
        made_at = self._ticks()
        document = await make()
        if is_page and document.continues_at is not None:
            self._pages[document.continues_at] = None
            self._pages.move_to_end(document.continues_at)
            if len(self._pages) > _PAGES:
                self._pages.popitem(last=False)
        self._kept.put(key, _Kept(document, made_at))
        return document


def _size(_key: Key, kept: _Kept) -> int:
    return len(kept.document.body) + 1024
