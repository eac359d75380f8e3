"""Memory shared by processes: whole texts only, whoever dies in the middle of writing one."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.shared_memory import _HEADER, SharedMemory

TEXTS = st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=300)), max_size=20)


@given(TEXTS)
def test_what_was_written_last_is_read(texts: list[tuple[int, bytes]]) -> None:
    board = SharedMemory(3)
    last = {0: b"", 1: b"", 2: b""}
    for place, text in texts:
        board.write(place, text)
        last[place] = text
    assert [board.read(place) for place in range(3)] == list(last.values())
    assert board.read_others(1) == [text for text in (last[0], last[2]) if text]


@given(st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=300), st.data())
def test_a_text_that_was_torn_leaves_the_one_before(
    before: bytes, torn: bytes, data: st.DataObject
) -> None:
    board = SharedMemory(1)
    board.write(0, before)
    board.write(0, torn)  # into the first half
    at = data.draw(st.integers(0, _HEADER.size + len(torn) - 1))
    board._memory[at] ^= data.draw(st.integers(1, 255))
    assert board.read(0) == before


def test_a_process_reads_what_another_wrote() -> None:
    board = SharedMemory(2)
    pid = os.fork()
    if pid == 0:
        board.write(1, b"from the other")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert board.read_others(0) == [b"from the other"]


def test_a_text_that_is_too_long_changes_nothing() -> None:
    board = SharedMemory(1)
    board.write(0, b"short")
    with pytest.raises(ValueError, match="does not fit"):
        board.write(0, bytes(1 << 20))
    assert board.read(0) == b"short"
