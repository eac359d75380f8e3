"""Measure sign-in, /auth/me and /auth/token against a bare aiohttp handler, in one run.

Machines are noisy: both servers are up at once, the rounds take turns, and what counts is the
median of the ratios within a round. One process each, everything on: log, metrics, headers.
"""

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from bench import load

ROOT = Path(__file__).parent.parent


@dataclass
class Case:
    """One address, and how many answers a second each server gave in each round."""

    name: str
    path: str
    status: int
    floor: float
    bare: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    def ratio(self) -> float:
        """Return the median of the rounds' ratios."""
        return statistics.median(o / b for o, b in zip(self.ours, self.bare, strict=True))


CASES = (
    Case("sign-in", "/auth/bypass?token=admin", 302, 0.20),
    Case("/auth/me", "/auth/me", 200, 0.20),
    Case("/auth/token", "/auth/token", 200, 0.16),
)


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with bare(folder) as bare_port, latchkey(folder) as port:
            cookie = sign_in(port)
            for number in range(-1, options.rounds):
                for case in CASES:
                    measure(case, bare_port, port, cookie, options.seconds, keep=number >= 0)
    show(options)


def measure(
    case: Case, bare_port: int, port: int, cookie: str, seconds: float, *, keep: bool
) -> None:
    """Measure both servers, one after the other; the round before the first only warms up."""
    headers = {} if case.status == 302 else {"Cookie": cookie}
    for where, results in ((bare_port, case.bare), (port, case.ours)):
        url = f"http://127.0.0.1:{where}{case.path}"
        rate = load.requests_per_second(url, headers, seconds if keep else 1, case.status)
        if keep:
            results.append(rate)


def show(options: argparse.Namespace) -> None:
    """Print medians and ratios."""
    print(f"{load.generator()}, {load.CONNECTIONS} connections, {options.rounds} rounds", end=" ")
    print(f"of {options.seconds:g} s; ratios are medians of the rounds' ratios\n")
    print(f"{'':12} {'bare req/s':>11} {'ours req/s':>11} {'ratio':>7} {'floor':>7}")
    for case in CASES:
        bare_rate, our_rate = statistics.median(case.bare), statistics.median(case.ours)
        print(f"{case.name:12} {bare_rate:11,.0f} {our_rate:11,.0f}", end=" ")
        print(f"{case.ratio():7.2f} {case.floor:7.2f}")


@contextlib.contextmanager
def bare(folder: Path) -> Iterator[int]:
    """Run the bare server; yield its port."""
    port = free_port()
    with process([sys.executable, str(ROOT / "bench" / "bare.py")], folder, port, {}):
        yield port


@contextlib.contextmanager
def latchkey(folder: Path) -> Iterator[int]:
    """Run Latchkey on a database of its own, its log in a file; yield its port."""
    port = free_port()
    environ = {
        "ENVIRONMENT": "development",
        "BYPASS_AUTH": "true",
        "JWT_SECRET_KEY": os.urandom(64).hex(),
        "PYTHONPATH": str(ROOT),
    }
    service = [sys.executable, "-m", "service"]
    subprocess.run(
        [*service, "prepare"], cwd=folder, env={**os.environ, **environ}, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with process([*service, "serve"], folder, port, environ):
        yield port


@contextlib.contextmanager
def process(command: list[str], folder: Path, port: int, environ: dict[str, str]) -> Iterator[None]:
    """Run a server on core 0 until the block ends."""
    pinned = ["taskset", "-c", "0"] if shutil.which("taskset") else []
    with (folder / f"log-{port}").open("wb") as log:
        server = subprocess.Popen(
            [*pinned, *command],
            cwd=folder,
            env={**os.environ, **environ, "PORT": str(port)},
            stdout=log,
            stderr=log,
        )
    try:
        wait(server, port)
        yield
    finally:
        server.terminate()
        server.wait(20)


def wait(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the port is open."""
    for _ in range(200):
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("a server did not start")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sign_in(port: int) -> str:
    """Return a `Cookie` header of a fresh session."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/auth/bypass?token=admin")
    header = connection.getresponse().headers["Set-Cookie"]
    connection.close()
    return str(header).partition(";")[0]


if __name__ == "__main__":
    main()
