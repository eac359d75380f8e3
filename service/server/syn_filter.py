"""A listening port, closed behind those who are in its queue already.

Whoever has got through to the system's queue counts on an answer, and closing the socket resets
them. So the system is first told to overlook newcomers (a classic BPF program, Linux): they try
again a second later, and find the port closed, or another listening on it.
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
    (0x06, 0, 0, 0xFFFFFFFF),  # … else take it whole
)


def drop_new_connections(listener: int) -> None:
    """Let nobody new into the queue of a listening socket; where that is not possible, do nothing.

    `listener` is a file descriptor. Those in the queue can be accepted as before.
    """
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in _PROGRAM))
    program = struct.pack("@HP", len(_PROGRAM), ctypes.addressof(code))
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(listener)) as opened:
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
