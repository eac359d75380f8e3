"""The listening sockets of a process."""

import asyncio
import socket
from collections.abc import Callable, Iterable

from service.server import syn_filter
from service.telemetry import logs

BACKLOG = 1024
_AT_ONCE = 64
_AGAIN_SECONDS = 1.0


class Listeners:
    """Accepts connections on non-blocking sockets. `serve` creates the protocol of a connection.

    uvloop (0.23) accepts one connection per socket and loop iteration. In an iteration, all open
    connections may send requests, so new connections at the end of the queue would wait long. This
    class accepts up to 64 per iteration.
    """

    def __init__(
        self, sockets: Iterable[socket.socket], serve: Callable[[], asyncio.Protocol]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = list(sockets)
        self._serve = serve
        self._beginning: set[asyncio.Task[object]] = set()
        for listener in self._sockets:
            self._resume(listener)

    def overlook_newcomers(self) -> None:
        """Drop new connections. Connections in the queues are still accepted."""
        for listener in self._sockets:
            syn_filter.drop_new_connections(listener.fileno())

    async def close(self) -> None:
        """Accept all connections in the queues, and close the sockets."""
        for listener in self._sockets:
            self._loop.remove_reader(listener)
            self._accept(listener, BACKLOG + 1)
            self._loop.remove_reader(listener)
            listener.close()
        self._sockets.clear()
        if self._beginning:
            await asyncio.wait(self._beginning)

    def _resume(self, listener: socket.socket) -> None:
        if listener in self._sockets:
            self._loop.add_reader(listener, self._accept, listener, _AT_ONCE)

    def _accept(self, listener: socket.socket, most: int) -> None:
        for _ in range(most):
            try:
                accepted, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors or memory
                logs.event("accept_failed", level=logs.ERROR, reason=str(error.strerror))
                self._loop.remove_reader(listener)
                self._loop.call_later(_AGAIN_SECONDS, self._resume, listener)
                return
            accepted.setblocking(False)  # noqa: FBT003  # its only argument
            task = self._loop.create_task(self._begin(accepted))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._serve, accepted)
        except OSError:  # the client has already closed it
            accepted.close()
