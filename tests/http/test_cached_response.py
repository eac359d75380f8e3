"""An answer that is written once is, for everybody, the answer that it would have been."""

import re

import pytest
from multidict import CIMultiDict

from service.web import cached_response
from tests.support.client import ask, bearer, send, sign_in
from tests.support.servers import Server

STORES = ("sqlite",)  # no store has a part in this

OWN = re.compile(rb"(X-Request-ID|Date): [^\r]*\r\n")


def raw(server: Server, token: str, version: str = "1.1", *, times: int = 1, **more: str) -> bytes:
    """Ask on one connection, without waiting in between; the last request closes it."""
    lines = {"Host": "localhost", **bearer(token), **more}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"GET /auth/verify HTTP/{version}\r\n{head}"
    last = "Connection: close\r\n" if version == "1.1" else ""
    return send(server.port, (f"{request}\r\n" * (times - 1) + f"{request}{last}\r\n").encode())


def test_it_says_what_an_ordinary_one_says(server: Server) -> None:
    answers = raw(server, sign_in(server.port), times=4).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert len(answers) == 4
    *written, ordinary = (OWN.sub(b"", answer) for answer in answers)
    assert len(set(written)) == 1
    assert b"\r\nConnection: close\r\n" in ordinary
    plain = ordinary.replace(b"Connection: close\r\n", b"")
    assert sorted(written[0].split(b"\r\n")) == sorted(plain.split(b"\r\n"))
    assert len({OWN.search(answer)[0] for answer in answers}) == 4  # type: ignore[index]


def test_each_has_an_id_of_its_own_and_a_line_in_the_log(server: Server) -> None:
    token = sign_in(server.port)
    for _ in range(3):
        answer = ask(server.port, "/auth/verify", headers=bearer(token))
        line = server.log(until=answer["X-Request-ID"])
        assert re.search(rf"path=/auth/verify status=200 .* id={answer['X-Request-ID']}\n", line)


def test_who_speaks_an_older_http_or_wants_another_protocol_gets_an_ordinary_one(
    server: Server,
) -> None:
    token = sign_in(server.port)
    assert raw(server, token, "1.0").startswith(b"HTTP/1.0 200 OK\r\n")
    asked = raw(server, token, Connection="Upgrade", Upgrade="websocket", times=1)
    assert asked.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Remote-User: admin\r\n" in asked


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: jwt=x", "a\nb", "a\rb", "a\0b"])
def test_no_header_breaks_its_line(value: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        cached_response.written(200, "OK", CIMultiDict({"Remote-User": value}))


def test_it_is_ascii() -> None:
    with pytest.raises(UnicodeEncodeError):
        cached_response.written(200, "OK", CIMultiDict({"Remote-User": "Zo\u00eb"}))
