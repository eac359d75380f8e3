"""A chunked body (RFC 9112 section 7.1): its content, and where it ends."""

import re

OVERHEAD_BYTES = 131_072
"""How much of a body may be no content: sizes, extensions, ends of lines and trailers."""
LINE_BYTES = 1_024
"""How long a chunk's size with its extensions may be."""

_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
_SIZE = rb"(0*[0-9A-Fa-f]{1,16})(?:;%b(?:=(?:%b|%b))?+)*+\r\n" % (_NAME, _NAME, _QUOTED)
_FIRST = re.compile(_SIZE)
_NEXT = re.compile(rb"\r\n" + _SIZE)
_SHORT = {b"\r\n%x" % size: size for size in range(1, 256)}
"""Nearly every line of a short chunk, with the end of the chunk before."""
_PART = rb"[0-9A-Fa-f]*(?:;[^\r\n]*)?\r?"
"""A line of which the rest may be still to come."""
_FIRST_PART = re.compile(_PART)
_NEXT_PART = re.compile(rb"\r?|\r\n" + _PART)


class Malformed(Exception):
    """It does not go on as a chunked body does, or it is out of all proportion."""


class Chunks:
    """Takes the content out of a chunked body, and nothing that comes after it.

    However many chunks the content comes in, the parser gets it in few, since each costs time and
    memory. It sees no extensions. It does see trailers, and refuses those that it cannot read.
    """

    __slots__ = ("_has_last", "_left", "_line", "_part", "_rest", "_room", "is_complete")

    def __init__(self) -> None:
        # What is missing of the content of this chunk.
        self._left = 0
        # How much more may be no content.
        self._room = OVERHEAD_BYTES
        # The beginning of a line, or of the trailers with the end of the line before them.
        self._rest = b""
        self._line, self._part = _FIRST, _FIRST_PART
        self._has_last = False
        self.is_complete = False

    def take(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Return what the parser is to get, and where that ended: no later than the body."""
        rest = self._rest
        if not rest:
            return self._take(data, start, start)
        self._rest = b""
        piece, end = self._take(rest + data[start:], 0, len(rest))
        return piece, end - len(rest) + start

    def _take(self, data: bytes, at: int, new: int) -> tuple[bytes, int]:
        content, at = (b"", at) if self._has_last else self._content(data, at)
        piece = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
        if not self._has_last:
            return piece, at
        end = data.find(b"\r\n\r\n", max(at, new - 3))
        if (len(data) if end < 0 else end + 4) - at - 2 > self._room:
            raise Malformed
        if end < 0:
            self._rest = data[at:]
            return piece, len(data)
        self.is_complete = True
        return piece + b"0\r\n" + data[at + 2 : end + 4], end + 4

    def _content(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Return the content of chunks, and where it ends: before the CRLF of the last size."""
        parts = []
        left, room, size, find = self._left, self._room, len(data), data.find
        short = (_SHORT if self._line is _NEXT else {}).get
        while True:
            if left:
                end = at + left
                parts.append(data[at:end])
                if end > size:
                    self._left = end - size
                    at = size
                    break
                at = end
            end = find(b"\r\n", at + 2, at + 6)
            if end >= 0 and (left := short(data[at:end], 0)):
                room -= end + 2 - at
                at = end + 2
                if room < 0:
                    raise Malformed
                continue
            self._left = 0
            found = self._line.match(data, at)
            if found is None:
                self._keep(data, at)
                at = size
                break
            line = found.end() - at
            room -= line
            if line > LINE_BYTES or room < 0:
                raise Malformed
            at += line
            left = int(found[1], 16)
            self._line, self._part, short = _NEXT, _NEXT_PART, _SHORT.get
            if not left:
                self._has_last = True
                at -= 2
                break
        self._room = room
        return b"".join(parts), at

    def _keep(self, data: bytes, at: int) -> None:
        """Keep the beginning of a line."""
        if len(data) - at >= LINE_BYTES or self._part.fullmatch(data, at) is None:
            raise Malformed
        self._rest = data[at:]
