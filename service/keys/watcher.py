"""Reload the key file when it changes. An invalid file is reported, and the old keys are kept."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import NoReturn

from service import keys
from service.config import Config
from service.keys import KeyRing
from service.system import file_access
from service.telemetry import logs

_SECONDS = 0.25

Mark = tuple[object, ...] | None


class KeyWatch:
    """Checks JWT_KEYS_FILE for changes several times a second.

    It polls, because file notifications do not work on network file systems, where several
    replicas can share a file.
    """

    def __init__(self, config: Config) -> None:
        """Create the watch before the keys are loaded, so that no change is missed."""
        self._config = config
        self._mark = _mark(config)
        self._wake = asyncio.Event()
        self.fault: str | None = None
        """The error of the current file, without secrets or paths; None if it is valid."""

    def look_now(self) -> None:
        """Reload the file, even if it has not changed."""
        self._mark = None
        self._wake.set()

    async def run(
        self, use: Callable[[KeyRing], None], report: Callable[[str | None], None]
    ) -> NoReturn:
        """Watch until cancelled. Call `use` with new keys, and `report` with the error or None."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            mark = await asyncio.to_thread(_mark, self._config)
            if mark != self._mark:
                self._mark = mark
                await self._read(use)
                report(self.fault)

    async def _read(self, use: Callable[[KeyRing], None]) -> None:
        """Use the keys of the file, or keep the previous keys and log the error."""
        try:
            ring = await asyncio.to_thread(keys.load, self._config)
        except keys.BadFile as error:
            self._keep(error.reason.replace("\n  ", "; "), error.cure)
        except Exception as error:  # noqa: BLE001  # the watch must continue
            self._keep(f"the file cannot be used ({type(error).__name__})")
        else:
            use(ring)
            self.fault = None
            signing = ring.keys(keys.Purpose.SESSION).signing
            logs.event("keys_read", signing=signing.kid, algorithm=signing.algorithm)

    def _keep(self, fault: str, cure: str = "") -> None:
        if fault != self.fault:
            more = {"cure": cure} if cure else {}
            logs.event(
                "keys_file_bad", level=logs.ERROR, fault=fault, **more, kept="the keys before"
            )
        self.fault = fault


def _mark(config: Config) -> Mark:
    """Return a value that changes with the file or its access rights; () if it cannot be read."""
    path = config.jwt_keys_file
    try:
        facts = path.stat() if path else None
    except OSError:
        return ()
    if facts is None:
        return None
    exposed = file_access.at(path) if path and config.production else None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_size, exposed
