"""Writing the log without waiting for whoever reads it: a pipe, a socket, a terminal, a file."""

import contextlib
import os
import select
import socket
import stat
from collections.abc import Callable
from typing import TextIO

BACKLOG_BYTES = 2**20
"""So much waits while the reader of the log is behind; then lines are lost."""

_Send = Callable[[memoryview], int]


class LogOutput:
    """Where lines go. `lost` is how many were lost since it was last set to 0."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._send: _Send | None = None
        self._is_open = False
        self._opened = contextlib.ExitStack()
        self._waiting = bytearray()
        self.lost = 0

    @property
    def is_behind(self) -> bool:
        """Whether something waits for the reader."""
        return bool(self._waiting)

    def write(self, text: str) -> None:
        """Write lines, or keep them until the reader has room. What fails is lost."""
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
        """Close what was opened to write. Another write opens it again."""
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
        except OSError:  # nobody will ever read it
            self._waiting.clear()


def _way_to(stream: TextIO, opened: contextlib.ExitStack) -> _Send | None:
    """Return what sends as much as the reader has room for; None if writing never has to wait.

    The mode of a descriptor is shared with other processes, such as the shell, so it stays as it
    is: a pipe or a terminal is opened anew, and a socket is told for each message.
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
        except OSError:  # it belongs to another user
            return _in_pieces(number)
        opened.callback(os.close, own)
        return lambda data: os.write(own, data)
    return None


def _in_pieces(number: int) -> _Send:
    """Return what asks for room before each piece: a pipe that has any has it for a whole one."""
    room = select.poll()
    room.register(number, select.POLLOUT)

    def send(data: memoryview) -> int:
        if not room.poll(0):
            raise BlockingIOError
        return os.write(number, data[: select.PIPE_BUF])

    return send
