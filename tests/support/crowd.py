"""A crowd of strangers in a process of its own: askers, idle connections and half-sent heads."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.environment import ROOT, clean_environ

_MOST_SECONDS = 60.0
_MOST_SECONDS_TO_END = 90.0
HALF = b"GET /auth/me HTTP/1.1\r\nHost: loc"


@dataclass
class Crowd:
    """How many strangers there are, what the askers ask for, and what they were answered."""

    asking: int = 0
    idle: int = 0
    half_sent: int = 0
    path: str = "/auth/revocations?since={n}"
    until: str | None = None
    statuses: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def around(self, port: int) -> Iterator[None]:
        """Be there for as long as the block lasts; all are connected when it begins.

        Stays longer if it takes longer until somebody has read an answer `until`.
        """
        plan = json.dumps([self.asking, self.idle, self.half_sent, self.path, self.until])
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.crowd", str(port), plan],
            cwd=ROOT,
            env=clean_environ(PYTHONPATH=str(ROOT)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "connected\n"
            yield
        finally:
            told, _ = process.communicate(timeout=_MOST_SECONDS_TO_END)
        self.statuses.update(json.loads(told))


async def _ask(port: int, path: str, first: int, statuses: Counter[str]) -> None:
    """Ask again and again on one connection, each time with another number, until cancelled."""
    number = first
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            statuses["not connected"] += 1
            await asyncio.sleep(0.05)
            continue
        with contextlib.closing(writer), contextlib.suppress(OSError, EOFError):
            while True:
                asked = path.replace("{n}", str(number % 9_000))
                number += 500
                writer.write(f"GET {asked} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                status = head.split()[1].decode()
                statuses[f"{status} later" if b"\r\nretry-after:" in head else status] += 1


async def _main(port: int, plan: str) -> None:
    asking, idle, half_sent, path, until = json.loads(plan)
    statuses: Counter[str] = Counter()
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(idle + half_sent)]
    for _, writer in opened[:half_sent]:
        writer.write(HALF)
    tasks = [asyncio.create_task(_ask(port, path, n, statuses)) for n in range(asking)]
    await asyncio.sleep(0)
    print("connected", flush=True)  # noqa: T201  # for who started it
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_MOST_SECONDS):
            await asyncio.to_thread(sys.stdin.read)
            while until is not None and not statuses[until]:  # noqa: ASYNC110  # a test may poll
                await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks) if tasks else None
    print(json.dumps(statuses))  # noqa: T201  # for who started it
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2]))
