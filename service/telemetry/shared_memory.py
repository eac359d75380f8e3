"""Shared memory in which each process of a server publishes a text for the others.

A reader always sees a complete text, the current or the previous one, even if the writer was killed
while writing: each place has two halves, written alternately, with a checksum.
"""

import mmap
import struct
import zlib

_HALF = 1 << 20  # address space; only written pages use memory
_HEADER = struct.Struct("<QII")  # the number of the write, the length and the checksum
_START = struct.Struct("<QI")


class SharedMemory:
    """A place for each of `count` writers. Create it before os.fork."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._memory = mmap.mmap(-1, count * 2 * _HALF)

    def write(self, place: int, text: bytes) -> None:
        """Replace the text in a place, which has one writer. Raises ValueError if too long."""
        if len(text) > _HALF - _HEADER.size:
            raise ValueError(f"a text of {len(text)} bytes does not fit")
        turn = max(found[0] if found else 0 for found in self._halves(place)) + 1
        start = self._start(place, turn % 2)
        self._memory[start + _HEADER.size : start + _HEADER.size + len(text)] = text
        self._memory[start : start + _HEADER.size] = _header(turn, text)

    def read(self, place: int) -> bytes:
        """Return the text in a place, empty if there is none."""
        whole = [found for found in self._halves(place) if found]
        return max(whole)[1] if whole else b""

    def read_others(self, place: int) -> list[bytes]:
        """Return the non-empty texts in all other places."""
        read = [self.read(other) for other in range(self._count) if other != place]
        return [text for text in read if text]

    def _halves(self, place: int) -> list[tuple[int, bytes] | None]:
        return [self._half(self._start(place, half)) for half in (0, 1)]

    def _half(self, start: int) -> tuple[int, bytes] | None:
        turn, length, _ = header = _HEADER.unpack_from(self._memory, start)
        if turn == 0 or length > _HALF - _HEADER.size:
            return None
        text = self._memory[start + _HEADER.size : start + _HEADER.size + length]
        return (turn, text) if _HEADER.pack(*header) == _header(turn, text) else None

    def _start(self, place: int, half: int) -> int:
        return (2 * place + half) * _HALF


def _header(turn: int, text: bytes) -> bytes:
    start = _START.pack(turn, len(text))
    return _HEADER.pack(turn, len(text), zlib.crc32(text, zlib.crc32(start)))
