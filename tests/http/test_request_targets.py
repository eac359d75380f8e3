"""Targets and lengths of requests that are odd, long or unreadable: each gets an answer."""

from unittest import mock

import pytest

from tests.http.test_connection import assert_safe, parse
from tests.support.client import send
from tests.support.servers import Server

STORES = ("sqlite",)  # no store has a part in this


@pytest.mark.parametrize(
    "target",
    [
        *("http://xn--a/", "http://xn--/", "http://[v1.x]/", "http://\xad/", "//xn--a/../", "*"),
        *("http://xn--a:1/auth/me", "https://xn--a", "http://a..b/", f"http://{'a' * 300}/"),
    ],
)
def test_every_target_gets_an_answer(server: Server, target: str) -> None:
    """Also one whose host cannot be read, and one that the `Host` of the request names as well."""
    for host in (target.partition("//")[2].partition("/")[0], "", "localhost"):
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        answer = parse(send(server.port, request.encode("latin-1")))
        assert answer.status in {200, 302, 400, 404}
        if target[0] not in "/*" and (host in {"", "localhost"} or "xn--" in target):
            assert answer.code == "request_invalid"
        assert_safe(answer)
        assert "Traceback" not in server.log(until=answer["X-Request-ID"])


@pytest.mark.parametrize(
    "line",
    [
        *(
            "GET http://{host}/ HTTP/1.1",
            "CONNECT {host} HTTP/1.1",
            "OPTIONS foo://{host} HTTP/1.1",
        ),
        *("GET //{host}/ HTTP/1.1", "GET http://a@{host}:1/ HTTP/1.1", "GET {host} HTTP/1.1"),
    ],
)
def test_a_long_host_in_a_target_is_not_decoded(server: Server, line: str) -> None:
    """Decoding 8,000 characters of punycode takes a second of the process."""
    target = line.format(host="xn--" + "5o3r" * 1980)
    with mock.patch("encodings.punycode.punycode_decode", side_effect=AssertionError):
        head = f"{target}\r\nHost: a\r\nConnection: close\r\n\r\n"
        answer = parse(send(server.port, head.encode()))
    assert answer.status in {400, 404, 405}
    assert "Traceback" not in server.log(until=answer["X-Request-ID"])


@pytest.mark.parametrize("body", [b"", b"12345"])
@pytest.mark.parametrize("digits", ["0" * 5000 + "5", "0" * 21, "9" * 21])
def test_a_length_of_thousands_of_digits_is_refused(
    server: Server, digits: str, body: bytes
) -> None:
    head = f"POST /auth/logout HTTP/1.1\r\nHost: a\r\nContent-Length: {digits}\r\n\r\n"
    answer = parse(send(server.port, head.encode() + body))
    assert (answer.status, answer.code) == (400, "request_invalid")
    assert "Traceback" not in server.log(until=answer["X-Request-ID"])
