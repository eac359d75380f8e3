"""The supervisor of several workers on one port: start them, restart dead ones, stop them all.

The kernel distributes connections to the workers (SO_REUSEPORT), so there is no proxy between a
client and a worker. If a worker dies, only its own connections are lost. The kernel gives new
connections to the others (docs/decisions/0020-workers.md).
"""

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from types import FrameType

from service.config import Config
from service.server.run import SHUTDOWN_SECONDS, Worker, bind_error
from service.telemetry import logs
from service.telemetry.metrics import Metrics
from service.telemetry.shared_memory import SharedMemory

_STEADY_SECONDS = 10.0
_MAX_PAUSE_SECONDS = 30.0
_LAST_SECONDS = SHUTDOWN_SECONDS + 5.0

_fork = multiprocessing.get_context("fork")

Serve = Callable[[Worker], int]
"""Runs one worker and returns its exit status."""


@dataclass
class _Slot:
    """The slot of one worker, with its current process."""

    number: int
    process: BaseProcess | None = None
    due: float = 0.0
    """When to start the next process. Like `began`, a value of time.monotonic()."""
    began: float = 0.0
    short_lives: int = 0
    """The number of successive processes that died soon after their start."""


class Supervisor:
    """The parent process of the workers. It has no event loop and no threads, so it can fork."""

    def __init__(self, config: Config, serve: Serve) -> None:
        self._config = config
        self._serve = serve
        self._board = SharedMemory(config.workers + 1)
        self._metrics = self._count_at(config.workers)
        self._places = [_Slot(number) for number in range(config.workers)]
        self._signals, self._wake = _pipe()
        self._lifeline, self._hold = _pipe()
        self._opened, self._open = _pipe()
        self._stop_signal: int | None = None
        """The signal that stopped the server."""

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT and return the exit status. A second signal kills at once.

        If the first worker fails to start, it prints the reason, and no other is started. Raises
        Fault if the port is not available.
        """
        _require_free(self._config)
        signal.set_wakeup_fd(self._wake)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _noted)
        first = self._begin(self._places[0], is_first=True)
        while self._stop_signal is None and not _holds_something(self._opened):
            if not first.is_alive():
                return first.exitcode or 0
            self._wait([first.sentinel, self._opened], None)
        while self._stop_signal is None:
            pause = self._restart_dead()
            self._wait([process.sentinel for process in self._alive()], pause)
        return self._end()

    def _count_at(self, place: int) -> Metrics:
        return Metrics(bypass_enabled=self._config.bypass_auth, board=self._board, place=place)

    def _alive(self) -> list[BaseProcess]:
        """Return the started processes that are not known to have ended."""
        return [place.process for place in self._places if place.process is not None]

    def _begin(self, place: _Slot, *, is_first: bool = False) -> BaseProcess:
        process = _fork.Process(
            target=self._become, args=[place.number], kwargs={"is_first": is_first}
        )
        place.process, place.began = process, time.monotonic()
        process.start()
        logs.event("worker_started", worker=place.number, pid=process.pid)
        return process

    def _become(self, number: int, *, is_first: bool) -> None:
        """Run the worker in the new process."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles Ctrl-C
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for descriptor in (self._signals, self._wake, self._hold, self._opened):
            os.close(descriptor)
        sys.exit(
            self._serve(
                Worker(
                    number,
                    is_first=is_first,
                    metrics=self._count_at(number),
                    lifeline=self._lifeline,
                    opened=lambda: _put(self._open),
                )
            )
        )

    def _restart_dead(self) -> float | None:
        """Reap dead workers and start due ones. Return the seconds until the next start."""
        for place in self._places:
            if place.process is not None and not place.process.is_alive():
                self._reap(place, place.process)
        now = time.monotonic()
        waiting = [place for place in self._places if place.process is None]
        for place in waiting:
            if place.due <= now:
                self._begin(place)
        dues = [place.due for place in waiting if place.process is None]
        return min(dues) - now if dues else None

    def _reap(self, place: _Slot, process: BaseProcess) -> None:
        lived = time.monotonic() - place.began
        place.short_lives = 0 if lived > _STEADY_SECONDS else place.short_lives + 1
        pause = min(2.0 ** (place.short_lives - 2), _MAX_PAUSE_SECONDS)
        pause = pause if place.short_lives > 1 else 0.0
        place.process, place.due = None, time.monotonic() + pause
        self._metrics.restarted()
        self._metrics.publish()
        logs.event(
            "worker_lost",
            level=logs.ERROR,
            worker=place.number,
            pid=process.pid,
            status=process.exitcode,
            seconds=round(lived, 1),
            next_in=pause,
        )

    def _wait(self, descriptors: list[int], seconds: float | None) -> None:
        """Wait for one of the descriptors, a signal or the timeout."""
        connection.wait([*descriptors, self._signals], seconds)
        if not _holds_something(self._signals):
            return
        for number in os.read(self._signals, 64):
            if number == signal.SIGHUP:
                self._send(signal.SIGHUP)
            elif number in {signal.SIGTERM, signal.SIGINT}:
                if self._stop_signal is not None:
                    self._leave_at_once(number)
                self._stop_signal = number

    def _send(self, number: int) -> None:
        for process in self._alive():
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, number)

    def _end(self) -> int:
        """Stop all workers. Return 0 if all finished their requests."""
        os.close(self._hold)
        deadline = time.monotonic() + _LAST_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            running = [process.sentinel for process in self._alive() if process.is_alive()]
            if not running:
                break
            self._wait(running, left)
        self._send(signal.SIGKILL)
        for process in self._alive():
            process.join()
        logs.event("stopped")
        return 0 if all(process.exitcode == 0 for process in self._alive()) else 1

    def _leave_at_once(self, number: int) -> None:
        self._send(signal.SIGKILL)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _put(end: int) -> None:
    os.write(end, b"\0")


def _holds_something(end: int) -> bool:
    return bool(connection.wait([end], 0))


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Do nothing. The pipe of set_wakeup_fd receives the signal number."""


def _require_free(config: Config) -> None:
    """Raise Fault if the port is in use, because SO_REUSEPORT would share it without an error."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        raise bind_error(config, error) from error
