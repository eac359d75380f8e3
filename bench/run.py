"""Measure the hot paths against a bare aiohttp handler, in one run.

Machines are noisy: both servers are up at once, the rounds take turns, and what counts is the
median of the ratios within a round: of the rates, and of the processor time that a request takes,
which says the same with less noise. One process each, everything on: log, metrics, headers.
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


@dataclass(frozen=True)
class Server:
    """A running server: its port, its process, and when that was started (seconds since 1970)."""

    port: int
    pid: int
    started_at: float = 0.0

    def ask(self, case: "Case", cookie: str, seconds: float) -> "Measured":
        """Request one URL for some seconds."""
        path, status = case.path, case.status
        headers = {} if status == 302 else {"Cookie": cookie, **case.headers}
        before = processor_seconds(self.pid)
        url = f"http://127.0.0.1:{self.port}{path}"
        rate = load.requests_per_second(url, headers, seconds, status)
        return Measured(rate, (processor_seconds(self.pid) - before) / (rate * seconds) * 1e6)


@dataclass(frozen=True)
class Measured:
    """Answers per second, and microseconds of processor time per answer."""

    rate: float
    busy: float


@dataclass
class Case:
    """One URL, and the results of each server in each round."""

    name: str
    path: str
    status: int
    floor: float
    headers: dict[str, str] = field(default_factory=dict)
    bare: list[Measured] = field(default_factory=list)
    ours: list[Measured] = field(default_factory=list)

    def rates(self) -> float:
        """Return the median of the rounds' ratios of rates."""
        pairs = zip(self.ours, self.bare, strict=True)
        return statistics.median(ours.rate / bare.rate for ours, bare in pairs)

    def busy(self) -> float:
        """Return the median of the rounds' ratios of processor time, the bare server's on top."""
        pairs = zip(self.ours, self.bare, strict=True)
        return statistics.median(bare.busy / ours.busy for ours, bare in pairs)


CASES = (
    Case("sign-in", "/auth/bypass?token=admin", 302, 0.20),
    Case("/auth/me", "/auth/me", 200, 0.50),
    Case("/auth/token", "/auth/token", 200, 0.16),
    Case("/auth/verify", "/auth/verify", 200, 0.60),
    Case(
        "by a proxy",
        "/auth/verify?proxy=nginx&role=manage_users",
        200,
        0.60,
        {"X-Original-Method": "GET", "X-Original-URL": "http://localhost/app?a=1"},
    ),
)


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--only", default="", help="measure the cases whose name has this in it")
    parser.add_argument("--algorithm", default="HS256", help="how our tokens are signed")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in case.name]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with bare(folder) as floor, latchkey(folder, options.algorithm) as ours:
            cookie = sign_in(ours.port)
            for number in range(-1, options.rounds):
                for case in cases:
                    pair = (
                        floor.ask(case, cookie, options.seconds),
                        ours.ask(case, cookie, options.seconds),
                    )
                    if number >= 0:  # the round before the first only warms up
                        case.bare.append(pair[0])
                        case.ours.append(pair[1])
    show(options, cases)


def show(options: argparse.Namespace, cases: list[Case]) -> None:
    """Print medians and ratios."""
    print(f"{load.generator()}, {load.CONNECTIONS} connections, {options.rounds} rounds", end=" ")
    print(f"of {options.seconds:g} s; ratios are medians of the rounds' ratios\n")
    print(f"{'':12} {'bare req/s':>11} {'ours req/s':>11} {'ratio':>7} {'floor':>7}", end="")
    print(f" {'bare µs':>9} {'ours µs':>9} {'ratio':>7}")
    for case in cases:
        rates = (statistics.median(m.rate for m in found) for found in (case.bare, case.ours))
        busy = (statistics.median(m.busy for m in found) for found in (case.bare, case.ours))
        print(f"{case.name:12} {next(rates):11,.0f} {next(rates):11,.0f}", end=" ")
        print(f"{case.rates():7.2f} {case.floor:7.2f}", end=" ")
        print(f"{next(busy):9.1f} {next(busy):9.1f} {case.busy():7.2f}")


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process, over all threads."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        return float("nan")  # not Linux
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


@contextlib.contextmanager
def bare(folder: Path) -> Iterator[Server]:
    """Run the bare server."""
    with process([sys.executable, str(ROOT / "bench" / "bare.py")], folder, {}) as server:
        yield server


@contextlib.contextmanager
def latchkey(
    folder: Path, algorithm: str = "HS256", *, workers: int = 1, pinned: bool = True
) -> Iterator[Server]:
    """Run Latchkey with its own database, and its log in a file."""
    environ = {
        "ENVIRONMENT": "development",
        "BYPASS_AUTH": "true",
        "JWT_SECRET_KEY": os.urandom(64).hex(),
        "JWT_ALGORITHM": algorithm,
        "JWT_KEYS_FILE": str(folder / "keys.json"),
        "TRUSTED_PROXIES": "127.0.0.1",
        "WORKERS": str(workers),
        "PYTHONPATH": str(ROOT),
    }
    service = [sys.executable, "-m", "service"]
    for step in (["key", "generate"], ["prepare"]):
        subprocess.run(
            [*service, *step],
            cwd=folder,
            env={**os.environ, **environ},
            check=True,
            stdout=subprocess.DEVNULL,
        )
    with process([*service, "serve"], folder, environ, pinned=pinned) as server:
        yield server


@contextlib.contextmanager
def process(
    command: list[str], folder: Path, environ: dict[str, str], *, pinned: bool = True
) -> Iterator[Server]:
    """Run a server until the block ends, on core 0 if it is `pinned`."""
    port = free_port()
    on_core = ["taskset", "-c", "0"] if pinned and shutil.which("taskset") else []
    started_at = time.time()
    with (folder / f"log-{port}").open("wb") as log:
        server = subprocess.Popen(
            [*on_core, *command],
            cwd=folder,
            env={**os.environ, **environ, "PORT": str(port)},
            stdout=log,
            stderr=log,
        )
    try:
        wait(server, port)
        yield Server(port, server.pid, started_at)
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
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sign_in(port: int) -> str:
    """Return the `Cookie` header of a new session."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/auth/bypass?token=admin")
    header = connection.getresponse().headers["Set-Cookie"]
    connection.close()
    return str(header).partition(";")[0]


if __name__ == "__main__":
    main()
