"""The lines of an import file: UTF-8 or, with a byte order mark, UTF-16. At most 64 KiB each."""

import codecs
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

MAX_LINE = 65_536
"""The maximum size of a line in bytes of UTF-8: that of an API request."""

_Read = Callable[[int], "bytes | Unreadable"]
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that cannot be read, and why."""

    faults: tuple[str, ...]


NOT_UTF_8 = Unreadable(("is not UTF-8",))
_NOT_UTF_16 = Unreadable(("is not UTF-16, although the file starts with its byte order mark",))


def lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Yield the non-empty lines as UTF-8 without their ends. Reads at most MAX_LINE at once.

    Excel writes UTF-16 as “Unicode Text”.
    """
    buffered = stream if isinstance(stream, io.BufferedReader) else _buffered(stream)
    number = 0
    with _utf_8(buffered) as read:
        while line := read(MAX_LINE + 2):
            number += 1
            if isinstance(line, Unreadable):
                yield number, line
                return
            text = line.rstrip(b"\r\n")
            if number == 1:
                text = text.removeprefix(codecs.BOM_UTF8)
            if len(text) > MAX_LINE:
                while isinstance(line, bytes) and line and not line.endswith(b"\n"):
                    line = read(MAX_LINE)
                yield number, Unreadable((f"is longer than {MAX_LINE} bytes",))
            elif text.strip():
                yield number, text


def _buffered(stream: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(cast("io.RawIOBase", stream))


@contextmanager
def _utf_8(stream: io.BufferedReader) -> Iterator[_Read]:
    """Yield a function that reads a line, or its first `size` bytes or UTF-16 characters."""
    if stream.peek(2)[:2] not in _UTF_16:
        yield stream.readline
        return
    # Unpaired surrogates become invalid UTF-8, and so a fault of their line.
    text = io.TextIOWrapper(stream, "utf-16", errors="surrogatepass", newline="\n")

    def read(size: int) -> bytes | Unreadable:
        try:
            return text.readline(size).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return _NOT_UTF_16

    try:
        yield read
    finally:
        text.detach()  # the caller closes the stream
