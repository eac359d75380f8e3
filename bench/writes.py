"""Measure database writes: sign-outs per second, sequential and concurrent.

`DATABASE_URL=postgresql://… python -m bench.writes` measures an empty database of PostgreSQL.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp

from bench import load, run


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=1500, help="sign-outs in each round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{options.rounds} rounds of {options.number} sign-outs; medians, and the worst and best")
    with tempfile.TemporaryDirectory() as name, run.latchkey(Path(name), pinned=False) as server:
        for clients in (1, load.CONNECTIONS):
            rates, busy = [], []
            for _ in range(options.rounds):
                number = options.number if clients > 1 else options.number // 5
                rate, seconds = asyncio.run(sign_outs(server, number, clients))
                rates.append(rate)
                busy.append(seconds * 1e6)
            print(f"  {clients:3} clients {statistics.median(rates):8,.0f} a second", end="")
            print(f" ({min(rates):,.0f} to {max(rates):,.0f})", end="")
            print(f", {statistics.median(busy):6.0f} µs of our processor time each")


async def sign_outs(server: run.Server, number: int, clients: int) -> tuple[float, float]:
    """Sign in `number` times, then sign out. Return rate and processor time of the sign-outs."""
    url = f"http://127.0.0.1:{server.port}"
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(
        url, connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        cookies = [await _sign_in(session) for _ in range(number)]

        async def leave() -> None:
            while cookies:
                headers = {"Cookie": cookies.pop()}
                async with session.post(
                    "/auth/logout", headers=headers, allow_redirects=False
                ) as answer:
                    if answer.status != 302:
                        raise RuntimeError(f"a sign-out was answered {answer.status}")

        used, began = run.processor_seconds(server.pid), time.perf_counter()
        await asyncio.gather(*(leave() for _ in range(clients)))
        seconds = time.perf_counter() - began
        return number / seconds, (run.processor_seconds(server.pid) - used) / number


async def _sign_in(session: aiohttp.ClientSession) -> str:
    async with session.get("/auth/bypass?token=admin", allow_redirects=False) as answer:
        return answer.headers["Set-Cookie"].partition(";")[0]


if __name__ == "__main__":
    main()
