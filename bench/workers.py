"""Measure a second worker: one and two workers in turns, on all cores, with the client."""

import argparse
import statistics
import subprocess
import tempfile
from pathlib import Path

from bench import load, run

_PATH = "/auth/verify"


def main() -> None:
    """Run the rounds and print both rates, their ratio, and the memory of each process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    rates: dict[int, list[float]] = {1: [], options.workers: []}
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as several,
        run.latchkey(Path(one), pinned=False) as single,
        run.latchkey(Path(several), pinned=False, workers=options.workers) as many,
    ):
        servers = {1: single, options.workers: many}
        cookies = {count: run.sign_in(server.port) for count, server in servers.items()}
        for number in range(-1, options.rounds):
            for count, server in servers.items():
                rate = load.requests_per_second(
                    f"http://127.0.0.1:{server.port}{_PATH}",
                    {"Cookie": cookies[count]},
                    options.seconds,
                    200,
                    pinned=False,
                )
                if number >= 0:  # the round before the first only warms up
                    rates[count].append(rate)
        _show(rates)
        print("resident memory, MiB:")
        for pid in (single.pid, many.pid, *children(many.pid)):
            print(f"  {pid:8} {resident(pid) / 2**20:6.1f}, {unique(pid) / 2**20:6.1f} of its own")


def _show(rates: dict[int, list[float]]) -> None:
    print(f"{load.generator()}, {load.CONNECTIONS} connections, on the same cores as the server")
    for count, measured in rates.items():
        print(f"  {count} workers {statistics.median(measured):9,.0f} req/s")
    first, second = rates.values()
    ratios = [b / a for a, b in zip(first, second, strict=True)]
    print(f"  ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    ran = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, check=False)
    return [int(word) for word in ran.stdout.split()]


def resident(pid: int) -> int:
    """Return the memory of a process in bytes, including shared memory."""
    return _kilobytes(pid, "Rss:") * 1024


def unique(pid: int) -> int:
    """Return the memory in bytes that only this process uses."""
    return (_kilobytes(pid, "Private_Clean:") + _kilobytes(pid, "Private_Dirty:")) * 1024


def _kilobytes(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()
