"""The log: one line for each event, which nothing that a client sends can forge, cut or reveal."""

import asyncio
import contextlib
import io
import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service.telemetry import logs

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
FIELD = re.compile(r' ([a-z]+)=("(?:[^"\\]|\\.)*"|[^"\s]+)')
FAST = hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # `log` is made anew by each call
)
HOSTILE = {
    "line feed": "admin\n2026-01-01T00:00:00.000Z info    request user=root",
    "carriage return": "admin\rroot",
    "next line": "admin\x85root",
    "line separator": "admin\u2028root",
    "escape sequence": "\x1b[2J\x1b[31madmin",
    "C1 escape sequence": "\x9b2Jadmin",
    "backspaces": "root\b\b\b\badmin",
    "null": "ad\x00min",
    "delete": "ad\x7fmin",
    "right to left": "ad\u202emin",
    "lone surrogate": "ad\udcffmin",
    "another field": "admin user=root",
    "another field in quotes": 'admin" user="root',
    "a quote at the end": 'admin\\"',
    "nothing": "",
}

Log = Callable[..., io.StringIO]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """Yield what sends the log to a new stream; afterwards the process has its own back."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    monkeypatch.setattr(logs, "_sink", logs._sink)

    def configure(form: logs.Form, at: str = "debug") -> io.StringIO:
        stream = io.StringIO()
        logs.configure(at, form, stream)
        return stream

    yield configure
    root.handlers = handlers
    root.setLevel(level)


def fields(line: str) -> dict[str, str]:
    """Return the fields of a line of text, as somebody reads them who knows the form."""
    head = re.match(rf"{TIME} [a-z]+ +[a-z_]+", line)
    assert head is not None
    found = FIELD.findall(line, head.end())
    assert head[0] + "".join(f" {name}={word}" for name, word in found) == line.rstrip("\n")
    return {name: json.loads(word) if word[0] == '"' else word for name, word in found}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("path", ["/auth/me", f"/{JWT}", *HOSTILE.values()])
@pytest.mark.parametrize("user", ["admin", None, "a b"])
def test_the_quick_way_of_an_answer_writes_what_an_event_would(
    log: Log, monkeypatch: pytest.MonkeyPatch, form: logs.Form, path: str, user: str | None
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.25)
    stream = log(form)
    rest: dict[str, Any] = {"user": user, "client": user, "id": "0f"}
    logs.answered(method="GET", path=path, status=200, seconds=0.001234, **rest)
    logs.event("request", method="GET", path=path, status=200, ms=1.23, **rest)
    first, second = stream.getvalue().splitlines()
    assert first == second


def test_an_answer_is_no_warning(log: Log) -> None:
    stream = log("text", "warning")
    logs.answered(method="GET", path="/", status=200, seconds=0.1, user=None, client=None, id="0f")
    assert stream.getvalue() == ""


def failure(message: str) -> Exception:
    """Return an error that was raised, with a cause."""
    error = RuntimeError(message)
    with contextlib.suppress(RuntimeError):
        try:
            int("one")
        except ValueError as cause:
            raise error from cause
    return error


# --- The two forms.


def test_a_line_of_text_has_time_level_event_and_fields(log: Log) -> None:
    stream = log("text")
    logs.event("request", method="GET", status=200, ms=1.5, ok=True, user=None, path="/a b")
    assert re.fullmatch(
        rf'{TIME} info    request method=GET status=200 ms=1\.5 ok=True path="/a b"\n',
        stream.getvalue(),
    )


def test_a_line_of_json_is_an_object_with_the_same(log: Log) -> None:
    stream = log("json")
    logs.event("request", level=logs.WARNING, method="GET", status=200, ms=1.5, ok=True, user=None)
    line = json.loads(stream.getvalue())
    assert re.fullmatch(TIME, line.pop("time"))
    assert line == {
        "level": "warning",
        "event": "request",
        "method": "GET",
        "status": 200,
        "ms": 1.5,
        "ok": True,
    }


@pytest.mark.parametrize(
    ("moment", "stamp"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1767225599.9996, "2025-12-31T23:59:59.999Z"),
        (1767225600.0, "2026-01-01T00:00:00.000Z"),
    ],
)
def test_the_time_is_utc_with_milliseconds(
    log: Log, monkeypatch: pytest.MonkeyPatch, moment: float, stamp: str
) -> None:
    stream = log("text")
    monkeypatch.setattr("time.time", lambda: moment)
    logs.event("listening")
    assert stream.getvalue() == f"{stamp} info    listening\n"


@pytest.mark.parametrize(
    ("at", "events"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_left_out(log: Log, at: str, events: list[str]) -> None:
    stream = log("json", at)
    for level in (logs.DEBUG, logs.INFO, logs.WARNING, logs.ERROR):
        logs.event("something", level=level)
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == events


# --- What a client sends.


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_value_stays_one_value_in_one_line_of_plain_ascii(log: Log, text: str) -> None:
    for form, read in (("text", fields), ("json", json.loads)):
        stream = log(form)
        logs.event("signed_in", user=text, method="bypass")
        line = stream.getvalue()
        assert re.fullmatch(r"[ -~]+\n", line)
        facts = read(line)
        assert (facts["user"], facts["method"]) == (text, "bypass")


@given(text=st.text(max_size=300))
@FAST
def test_any_value_stays_one_value_in_one_line(log: Log, text: str) -> None:
    for form, read in (("text", fields), ("json", json.loads)):
        stream = log(form)
        logs.event("signed_in", user=text, method="bypass")
        line = stream.getvalue()
        assert len(line.splitlines()) == 1
        facts: dict[str, Any] = read(line)
        assert (facts["user"], facts["method"]) == (text, "bypass")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_long_value_is_cut(log: Log, form: str) -> None:
    stream = log(form)
    logs.event("request", fits="a" * 300, path="/" + "b" * 100_000)
    line = stream.getvalue()
    facts = fields(line) if form == "text" else json.loads(line)
    assert (facts["fits"], facts["path"]) == ("a" * 300, "/" + "b" * 299 + "…")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (JWT, "[token]"),
        (f"Bearer {JWT}", "Bearer [token]"),
        (f"jwt={JWT}; theme=dark", "jwt=[token]; theme=dark"),
        (f"/callback?token={JWT}&x=1", "/callback?token=[token]&x=1"),
        (f"{JWT},{JWT}", "[token],[token]"),
        (JWT.rpartition(".")[0], "[token]"),
        (JWT[:20], "[token]"),
        ("eyJ is how they begin", "eyJ is how they begin"),
        ("nothing here", "nothing here"),
    ],
)
def test_a_token_is_taken_out_wherever_it_stands(log: Log, text: str, redacted: str) -> None:
    assert logs.redact(text) == redacted
    for form in ("text", "json"):
        stream = log(form)
        logs.event("request", path=text)
        logging.getLogger("library").warning("got %s", text)
        logs.unexpected(failure(text))
        assert stream.getvalue().count(redacted) == 3
        assert JWT[:20] not in stream.getvalue()


def test_a_token_that_is_cut_is_taken_out_too(log: Log) -> None:
    stream = log("text")
    for before in range(280, 300):
        logs.event("request", path="x" * before + JWT)
    assert JWT[:12] not in stream.getvalue()


# --- Exceptions.


def test_an_exception_follows_its_line_indented_with_its_cause(log: Log) -> None:
    stream = log("text")
    logs.unexpected(failure("wrong"), id="7")
    first, *trace = stream.getvalue().splitlines()
    assert re.fullmatch(rf"{TIME} error   error id=7", first)
    assert all(line.startswith("    ") for line in trace)
    assert "    ValueError: invalid literal for int() with base 10: 'one'" in trace
    assert trace[-1] == "    RuntimeError: wrong"


def test_an_exception_is_one_field_of_json(log: Log) -> None:
    stream = log("json")
    logs.unexpected(failure("wrong\n\x1b[2J"), id="7")
    (line,) = stream.getvalue().splitlines()
    facts = json.loads(line)
    assert (facts["level"], facts["event"], facts["id"]) == ("error", "error", "7")
    assert facts["exception"].startswith("Traceback (most recent call last):\n")
    assert facts["exception"].endswith("RuntimeError: wrong\n\x1b[2J\n")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_exception_forges_no_line(log: Log, text: str) -> None:
    stream = log("text")
    logs.unexpected(failure(text))
    _, *trace = stream.getvalue().splitlines()
    assert all(re.fullmatch(r"    [ -~]*", line) for line in trace)


# --- The records of libraries.


def test_a_record_of_a_library_comes_in_as_an_event(log: Log) -> None:
    stream = log("text", "info")
    library = logging.getLogger("library.part")
    library.info("left out")
    library.warning("a %s\nb", "hostile name=x")
    library.error("failed", exc_info=failure("wrong"))
    library.error("failed without a reason", exc_info=True)
    first, second, *trace, last = stream.getvalue().splitlines()
    assert fields(first) == {"logger": "library.part", "message": "a hostile name=x\nb"}
    assert fields(second) == {"logger": "library.part", "message": "failed"}
    assert trace[-1] == "    RuntimeError: wrong"
    assert fields(last)["message"] == "failed without a reason"


def test_a_library_that_logs_wrongly_stops_nobody(log: Log) -> None:
    stream = log("text")
    logging.getLogger("library").warning("%d things", "many")
    logs.event("next")
    assert stream.getvalue().splitlines()[-1].endswith(" next")


# --- When lines are written.


@pytest.mark.parametrize("error", [OSError("no space left"), ValueError("closed")], ids=str)
def test_a_log_that_cannot_be_written_stops_nobody(
    log: Log, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: str) -> int:
        raise error

    stream = log("text")
    with monkeypatch.context() as broken:
        broken.setattr(stream, "write", fail)
        logs.event("lost")
    logs.event("next")
    assert re.fullmatch(rf"{TIME} info    next\n", stream.getvalue())


async def test_the_lines_of_one_turn_of_the_loop_leave_together(log: Log) -> None:
    stream = log("text")
    logs.event("first")
    logs.event("second")
    assert stream.getvalue() == ""
    await asyncio.sleep(0)
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["first", "second"]


async def test_what_waits_can_be_written_at_once_and_is_written_once(log: Log) -> None:
    stream = log("text")
    logs.event("last")
    logs.flush()
    written = stream.getvalue()
    assert written.endswith(" last\n")
    await asyncio.sleep(0)
    assert stream.getvalue() == written


def pipe() -> tuple[int, int]:
    return os.pipe()


def sockets() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


@pytest.mark.parametrize("is_of_another_user", [False, True])
@pytest.mark.parametrize("make", [pipe, sockets])
def test_a_reader_that_stops_reading_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[], tuple[int, int]],
    *,
    is_of_another_user: bool,
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    if is_of_another_user:
        monkeypatch.setattr("service.telemetry.log_output.os.open", refuse)
    reading, writing = make()
    read: list[bytes] = []

    def take() -> None:
        while part := os.read(reading, 65536):
            read.append(part)

    with open(writing, "w") as stream, open(reading, "rb"):  # noqa: PTH123  # descriptors
        sink = logs.Sink(stream, "text", logs.INFO)
        for number in range(30_000):
            sink.append(f"{number} {'x' * 90}\n")
        taking = threading.Thread(target=take)
        taking.start()
        deadline = time.monotonic() + 20
        while sink._output.is_behind or sink._output.lost:
            assert time.monotonic() < deadline
            sink.flush()
        sink.append("the last\n")
        sink._output.close()
        stream.close()
        taking.join(20)
    lines = b"".join(read).decode().splitlines()
    kept = [int(line.split()[0]) for line in lines[:-2]]
    assert kept == list(range(len(kept)))
    assert 10_000 < len(kept) < 30_000
    assert lines[-2].endswith(f" log_lines_lost count={30_000 - len(kept)}")
    assert lines[-1] == "the last"


def test_each_of_several_logs_has_its_own_lines(log: Log) -> None:
    """Those of tasks, threads and libraries too; what is outside goes on as before."""
    of_process, streams = log("text"), {"one": io.StringIO(), "two": io.StringIO()}

    async def serve(name: str) -> None:
        logs.event(name)
        await asyncio.to_thread(logs.event, f"{name}_thread")
        logging.getLogger(name).warning("from a library")

    def run(name: str) -> None:
        with logs.separate("info", "text", streams[name]):
            asyncio.run(serve(name))

    with ThreadPoolExecutor() as threads:
        list(threads.map(run, streams))
    logs.event("outside")
    for name, stream in streams.items():
        found = sorted(line.split(maxsplit=2)[2] for line in stream.getvalue().splitlines())
        library = f'library logger={name} message="from a library"'
        assert found == sorted([name, f"{name}_thread", library])
    assert [line.split()[2] for line in of_process.getvalue().splitlines()] == ["outside"]
