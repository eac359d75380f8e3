"""The parser of chunked bodies (RFC 9112 section 7.1)."""

import re

OVERHEAD_BYTES = 131_072
"""The maximum size of everything except content: sizes, extensions, line ends and trailers."""
LINE_BYTES = 1_024
"""The maximum length of a chunk size with its extensions."""

_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
_SIZE = rb"(0*[0-9A-Fa-f]{1,16})(?:;%b(?:=(?:%b|%b))?+)*+\r\n" % (_NAME, _NAME, _QUOTED)
_FIRST = re.compile(_SIZE)
_NEXT = re.compile(rb"\r\n" + _SIZE)
_SHORT = {b"\r\n%x" % size: size for size in range(1, 256)}
"""The size lines of most short chunks, with the line end of the chunk before."""
_PART = rb"[0-9A-Fa-f]*(?:;[^\r\n]*)?\r?"
"""An incomplete line."""
_FIRST_PART = re.compile(_PART)
_NEXT_PART = re.compile(rb"\r?|\r\n" + _PART)


class Malformed(Exception):
    """The chunked body is invalid, or its overhead is too large."""


class Chunks:
    """Extracts the content of a chunked body, and nothing after its end.

    Merges chunks before the HTTP parser gets them, because each chunk costs it time and memory.
    Removes extensions. Passes trailers on, since the parser rejects invalid ones.
    """

    __slots__ = ("_has_last", "_left", "_line", "_part", "_rest", "_room", "is_complete")

    def __init__(self) -> None:
        # The bytes that are missing in this chunk.
        self._left = 0
        # The remaining bytes of overhead.
        self._room = OVERHEAD_BYTES
        # An incomplete line, or incomplete trailers with the line end before them.
        self._rest = b""
        self._line, self._part = _FIRST, _FIRST_PART
        self._has_last = False
        self.is_complete = False

    def take(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Return the data for the parser, and its end in `data`, at most the body's end."""
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
        """Return the content of chunks, and its end: before the CRLF of the last size."""
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
        """Keep an incomplete line."""
        if len(data) - at >= LINE_BYTES or self._part.fullmatch(data, at) is None:
            raise Malformed
        self._rest = data[at:]
