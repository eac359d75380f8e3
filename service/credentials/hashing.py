"""Hash and check passwords with Argon2id, in threads of their own.

The parameters are the second recommended option of RFC 9106: 64 MiB, 3 passes, 4 lanes. A process
hashes at most two passwords at once, so hashing uses at most 128 MiB.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from service.limits.budgets import Budget

WAITING = 16
"""How many passwords of each lane wait for a thread. Others are refused with 503."""
_NICENESS = 5  # checking tokens has priority

Lane = Literal["stranger", "known"]
"""The queue of a password. Known devices have their own, which strangers cannot fill."""

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_DUMMY = (
    "$argon2id$v=19$m=65536,t=3,p=4$bGF0Y2hrZXkgbm8gdXNlcg"
    "$ornPk36q+2w6bPX9TBSZnfE/MMHTSwvZwWdIO2GW1uI"
)
"""The hash of a random password that was not kept: it takes as long as the hash of a user."""

T = TypeVar("T")


class Hasher:
    """The threads of a process that hash passwords."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2, "password", initializer=_be_nice)
        self._lanes = {
            "stranger": Budget(at_once=1, waiting=WAITING),
            "known": Budget(at_once=1, waiting=WAITING),
        }

    async def hash(self, password: str) -> str:
        """Return the PHC string of a normalized password. Raises Overloaded."""
        return await self._run("known", lambda: new(password))

    async def verify(self, password: str, phc: str | None, *, lane: Lane) -> bool:
        """Return whether a normalized password has a hash. With None, no password has it.

        Takes the same time in all cases, unless the hash has other parameters than new ones. Raises
        Overloaded.
        """
        matches = await self._run(lane, lambda: _matches(_DUMMY if phc is None else phc, password))
        return matches and phc is not None

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, lane: Lane, work: Callable[[], T]) -> T:
        """Run work in a thread. Its place in the lane is free when the thread is, not before."""
        async with self._lanes[lane]:
            running = asyncio.get_running_loop().run_in_executor(self._threads, work)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                await asyncio.wait([running])
                raise


def new(password: str) -> str:
    """Return the PHC string of a normalized password. Blocks; for commands."""
    return _HASHER.hash(password)


def is_outdated(phc: str) -> bool:
    """Return whether a hash has other parameters than new ones."""
    return _HASHER.check_needs_rehash(phc)


def _matches(phc: str, password: str) -> bool:
    try:
        return _HASHER.verify(phc, password)
    except (VerificationError, InvalidHashError):
        return False


def _be_nice() -> None:
    """Give way to the event loop. Linux counts niceness for each thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
