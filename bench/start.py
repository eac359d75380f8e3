"""Measure the start: from the command to the first answer, and the memory that is resident then.

SQLite, no provider. The two servers take turns, and the medians are printed with their ratio.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from bench.run import Server, bare, latchkey, processor_seconds


class Start(NamedTuple):
    """Seconds to the first answer, processor seconds until then, and resident memory in MB."""

    seconds: float
    busy: float
    megabytes: float


def main() -> None:
    """Print a line for each server, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, floor = [], []
        for _ in range(rounds):
            floor.append(measure(bare(folder)))
            ours.append(measure(latchkey(folder)))
    print(f"\n{'start':12} {'seconds':>9} {'processor s':>12} {'memory MB':>10}")
    for title, found in (("bare", floor), ("Latchkey", ours)):
        print(f"{title:12} {' '.join(columns(found))}")
    print(f"{'ratio':12} {' '.join(ratios(ours, floor))}")


def measure(server: AbstractContextManager[Server]) -> Start:
    """Start a server, and stop it after its first answer."""
    with server as running:
        return Start(
            time.time() - running.started_at,
            processor_seconds(running.pid),
            resident_megabytes(running.pid),
        )


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process in units of 10⁶ bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(pid)


def columns(found: list[Start]) -> Iterator[str]:
    """Return the medians."""
    widths = (9, 12, 10)
    for width, digits, values in zip(widths, (2, 2, 0), zip(*found, strict=True), strict=True):
        yield f"{statistics.median(values):{width}.{digits}f}"


def ratios(ours: list[Start], floor: list[Start]) -> Iterator[str]:
    """Return the ratios of the medians."""
    pairs = zip(zip(*ours, strict=True), zip(*floor, strict=True), strict=True)
    for width, (own, other) in zip((9, 12, 10), pairs, strict=True):
        yield f"{statistics.median(own) / statistics.median(other):{width}.2f}"


if __name__ == "__main__":
    main()
