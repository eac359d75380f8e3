"""Sign-ins in progress in this process, and logouts that arrive meanwhile."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PER_SECOND = 2.0
AT_ONCE = 5.0
"""Low, because each uses the writer of all processes for several statements."""


@dataclass(slots=True)
class _Pending:
    count: int = 0
    has_ended: bool = False


class PendingSignIns:
    """The sign-ins in progress, by the handle of the session at the provider.

    Any client can send a logout for any handle, and make any handle a pending one. So one for a
    sign-in of this process is only stored here, and the sign-in checks before and after it writes
    its session. Logouts that may be for another process get a row within the budget. `ticks` is a
    clock in seconds that never goes back.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._left = AT_ONCE
        self._counted_at = ticks()
        self._pending: dict[str, _Pending] = {}

    @contextmanager
    def beginning(self, handle: str) -> Iterator[None]:
        """Register a sign-in while the block runs."""
        pending = self._pending.setdefault(handle, _Pending())
        pending.count += 1
        try:
            yield
        finally:
            pending.count -= 1
            if not pending.count:
                del self._pending[handle]

    def end(self, handle: str) -> bool:
        """Stop a pending sign-in from starting a session. Return whether there is one."""
        pending = self._pending.get(handle)
        if pending is None:
            return False
        pending.has_ended = True
        return True

    def has_ended(self, handle: str) -> bool:
        """Return whether the session of a pending sign-in has ended at the provider."""
        pending = self._pending.get(handle)
        return pending is not None and pending.has_ended

    def may_write(self) -> bool:
        """Return whether the budget allows to store another logout without a session."""
        now = self._ticks()
        self._left = min(AT_ONCE, self._left + (now - self._counted_at) * PER_SECOND)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
