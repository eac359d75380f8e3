"""A load generator: many connections that request one URL as fast as possible."""

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Mapping

import aiohttp

CONNECTIONS = 32


def generator() -> str:
    """Return the load generator: wrk if it is installed, else a small client."""
    return "wrk" if shutil.which("wrk") else "aiohttp client"


def requests_per_second(
    url: str, headers: Mapping[str, str], seconds: float, expected: int, *, pinned: bool = True
) -> float:
    """Return the answers per second. All must have the status `expected`.

    `pinned` leaves core 0 to the server.

    Raises RuntimeError when one had another status, or none came.
    """
    if shutil.which("wrk"):
        return _by_wrk(url, headers, seconds, pinned=pinned)
    return asyncio.run(_by_client(url, headers, seconds, expected))


def _by_wrk(url: str, headers: Mapping[str, str], seconds: float, *, pinned: bool) -> float:
    named = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    on_core = ["taskset", "-c", "1"] if pinned and shutil.which("taskset") else []
    command = [*on_core, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", *named, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if rate is None or "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"{url} was not answered well:\n{text}")
    return float(rate[1])


async def _by_client(url: str, headers: Mapping[str, str], seconds: float, expected: int) -> float:
    end = time.perf_counter() + seconds

    async def ask(session: aiohttp.ClientSession) -> int:
        count = 0
        while time.perf_counter() < end:
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                await answer.read()
                if answer.status != expected:
                    raise RuntimeError(f"{url} answered {answer.status}")
                count += 1
        return count

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
        counts = await asyncio.gather(*(ask(session) for _ in range(CONNECTIONS)))
    return sum(counts) / seconds
