"""Drop new connections on a listening socket, but keep those in its queue.

Closing the socket would reset the connections in the kernel's queue. So the kernel first drops the
SYN segments of new connections (a classic BPF program, Linux only). Their clients retry after a
second and find the port closed, or another process listening.
"""

import contextlib
import ctypes
import os
import socket
import struct

_SO_ATTACH_FILTER = 26
_SYN = 0x02
_PROGRAM = (
    (0x30, 0, 0, 13),  # load the byte at 13 of the TCP header: the flags (RFC 9293, 3.1)
    (0x45, 0, 1, _SYN),  # if SYN is set
    (0x06, 0, 0, 0),  # … drop the segment
    (0x06, 0, 0, 0xFFFFFFFF),  # … else accept all of it
)


def drop_new_connections(listener: int) -> None:
    """Drop new connections to a listening socket. Do nothing where that is not supported.

    `listener` is a file descriptor. Connections in the queue can still be accepted.
    """
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in _PROGRAM))
    program = struct.pack("@HP", len(_PROGRAM), ctypes.addressof(code))
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(listener)) as opened:
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
