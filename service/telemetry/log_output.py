"""Write the log to a pipe, socket, terminal or file without blocking."""

import contextlib
import os
import select
import socket
import stat
from collections.abc import Callable
from typing import TextIO

BACKLOG_BYTES = 2**20
"""The size of the buffer for a slow log reader. Beyond it, lines are lost."""

_Send = Callable[[memoryview], int]


class LogOutput:
    """The output of log lines. `lost` counts lost lines; the caller resets it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._send: _Send | None = None
        self._is_open = False
        self._opened = contextlib.ExitStack()
        self._waiting = bytearray()
        self.lost = 0

    @property
    def is_behind(self) -> bool:
        """Whether the buffer is not empty."""
        return bool(self._waiting)

    def write(self, text: str) -> None:
        """Write lines, or buffer them until the reader has room. Failed lines are lost."""
        if not self._is_open:
            self._send, self._is_open = _way_to(self._stream, self._opened), True
        if self._send is None:
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(text)
                self._stream.flush()
            return
        if len(self._waiting) + len(text) > BACKLOG_BYTES:
            self.lost += text.count("\n")
        else:
            self._waiting += text.encode(errors="replace")
        self._send_what_waits(self._send)

    def close(self) -> None:
        """Close the opened file. The next write opens it again."""
        self._opened.close()
        self._is_open = False

    def _send_what_waits(self, send: _Send) -> None:
        try:
            while self._waiting:
                with memoryview(self._waiting) as waiting:
                    sent = send(waiting)
                del self._waiting[:sent]
        except BlockingIOError:
            return
        except OSError:  # the reader is gone
            self._waiting.clear()


def _way_to(stream: TextIO, opened: contextlib.ExitStack) -> _Send | None:
    """Return a function that sends as much as the reader has room for; None if it never blocks.

    The non-blocking mode of a descriptor is shared with other processes, such as the shell, so it
    is not changed: a pipe or terminal is opened again, and a socket gets a flag per message.
    """
    try:
        number = stream.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):
        return None
    if stat.S_ISSOCK(mode):
        connected = opened.enter_context(socket.socket(fileno=os.dup(number)))
        return lambda data: connected.send(data, socket.MSG_DONTWAIT)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        try:
            own = os.open(f"/dev/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:  # owned by another user
            return _in_pieces(number)
        opened.callback(os.close, own)
        return lambda data: os.write(own, data)
    return None


def _in_pieces(number: int) -> _Send:
    """Return a function that polls before each piece: a ready pipe has room for a whole piece."""
    room = select.poll()
    room.register(number, select.POLLOUT)

    def send(data: memoryview) -> int:
        if not room.poll(0):
            raise BlockingIOError
        return os.write(number, data[: select.PIPE_BUF])

    return send
