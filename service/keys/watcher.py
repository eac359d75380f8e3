"""The file of keys while the service runs: a good new one is taken, a bad one reported."""

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
    """Looks whether JWT_KEYS_FILE has changed, several times a second.

    By looking, and not by a notice of the system: those are silent on network file systems, where
    several replicas share a file.
    """

    def __init__(self, config: Config) -> None:
        """Make it before the keys are read, so that no change falls in between."""
        self._config = config
        self._mark = _mark(config)
        self._wake = asyncio.Event()
        self.fault: str | None = None
        """What is wrong with the file as it is now, for strangers; None if it is good."""

    def look_now(self) -> None:
        """Read the file again, changed or not."""
        self._mark = None
        self._wake.set()

    async def run(
        self, use: Callable[[KeyRing], None], report: Callable[[str | None], None]
    ) -> NoReturn:
        """Watch until cancelled: `use` gets good new keys, `report` the fault of bad ones."""
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
        """Take the keys of the file, or keep those from before and say what is wrong."""
        try:
            ring = await asyncio.to_thread(keys.load, self._config)
        except keys.BadFile as error:
            self._keep(error.reason.replace("\n  ", "; "), error.cure)
        except Exception as error:  # noqa: BLE001  # whatever it is, the watch goes on
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
    """Return what changes when the file does, or who can change it; () when it cannot be seen."""
    path = config.jwt_keys_file
    try:
        facts = path.stat() if path else None
    except OSError:
        return ()
    if facts is None:
        return None
    exposed = file_access.at(path) if path and config.production else None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_size, exposed
