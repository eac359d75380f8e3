"""HTTP/2 by hand: one request on one connection, with what no client library would send."""

import struct
from collections.abc import Sequence

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS = 1, 4
_STREAM = 1
_HEAD_BYTES = 9


def request(
    headers: Sequence[tuple[str, str]],
    body: bytes | None = None,
    trailers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return what a client sends: preface, settings, headers, body and trailers (RFC 9113)."""
    last = 0 if body is not None or trailers else _END_STREAM
    frames = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        _frame(_SETTINGS, 0, 0),
        _frame(_HEADERS, _END_HEADERS | last, _STREAM, _block(headers)),
    ]
    if body is not None:
        frames.append(_frame(_DATA, 0 if trailers else _END_STREAM, _STREAM, body))
    if trailers:
        frames.append(_frame(_HEADERS, _END_HEADERS | _END_STREAM, _STREAM, _block(trailers)))
    return b"".join(frames)


def is_over(received: bytes) -> bool:
    """Tell whether the answer is there to its end, or the server has broken the request off."""
    while len(received) >= _HEAD_BYTES:
        size, kind, flags = int.from_bytes(received[:3], "big"), received[3], received[4]
        stream = int.from_bytes(received[5:_HEAD_BYTES], "big")
        if len(received) < _HEAD_BYTES + size:
            return False
        if kind == _GOAWAY or (stream == _STREAM and kind == _RST_STREAM):
            return True
        if stream == _STREAM and kind in {_DATA, _HEADERS} and flags & _END_STREAM:
            return True
        received = received[_HEAD_BYTES + size :]
    return False


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes([kind, flags])
        + struct.pack(">I", stream)
        + payload
    )


def _block(headers: Sequence[tuple[str, str]]) -> bytes:
    """Write literal headers, never indexed, without Huffman codes (RFC 7541 section 6.2.2)."""
    return b"".join(
        b"\x00" + _text(name.encode("latin-1")) + _text(value.encode("latin-1"))
        for name, value in headers
    )


def _text(value: bytes) -> bytes:
    if len(value) < 127:
        return bytes([len(value)]) + value
    rest, length = len(value) - 127, b"\x7f"
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + value
