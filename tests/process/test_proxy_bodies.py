"""What was let in reaches the application at once, also while its body is still on its way."""

import contextlib
import time

import pytest

from tests.support import http2
from tests.support.client import bearer, cookie
from tests.support.keyfiles import within
from tests.support.proxied import shared as site
from tests.support.proxy_site import APP, AUTH, SPEAKING_HTTP_2, Deployment

__all__ = ["site"]

STORES = ("sqlite",)  # no store has a part in this

LENGTH, CHUNKED = "Content-Length: 4", "Transfer-Encoding: chunked"
PARTS = {LENGTH: (b"", b"ab", b"cd"), CHUNKED: (b"", b"2\r\nab\r\n", b"2\r\ncd\r\n0\r\n\r\n")}
"""What is sent of a body: with the head, after it, and at last."""


def head(site: Deployment, path: str, token: str, framing: str) -> bytes:
    """Return a request without its body."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {APP}:{site.port}", f"Cookie: jwt={token}"]
    return "\r\n".join([*lines, framing, "", ""]).encode()


@pytest.mark.parametrize("framing", PARTS)
@pytest.mark.parametrize("expects", [False, True], ids=["", "Expect"])
def test_what_was_checked_is_not_kept_back_until_its_body_is_there(
    site: Deployment, framing: str, *, expects: bool
) -> None:
    token, path = site.sign_in("admin"), f"/admin/{framing[:8]}{expects}"
    first, middle, last = PARTS[framing]
    lines = f"{framing}\r\nExpect: 100-continue" if expects else framing
    site.application.received.clear()
    with site.connect() as connection:
        connection.sendall(head(site, path, token, lines) + first)
        within(1, lambda: path in site.application.heads)
        connection.sendall(middle)
        everywhere = {**bearer(token), "Sec-Fetch-Site": "same-origin"}
        out = site.ask("/auth/logout?everywhere=true", "POST", headers=everywhere, host=AUTH)
        assert out.status == 302
        within(1, lambda: site.ask("/x", headers=cookie(token)).status == 401)
        assert site.application.heads[-1] != "/x"
        connection.sendall(last)
        answer = connection.recv(65536)
        while answer.startswith(b"HTTP/1.1 100 ") and b"HTTP/1.1 200 " not in answer:
            answer += connection.recv(65536)
    assert b"HTTP/1.1 200 " in answer
    (seen,) = (each for each in site.application.received if each.target == path)
    assert (seen.body_bytes, seen["Remote-User"]) == (4, "admin")
    if framing == LENGTH:
        assert seen["Content-Length"] == "4"


@pytest.mark.parametrize("length", [True, False], ids=["a length", "no length"])
def test_nor_by_http_2(site: Deployment, *, length: bool) -> None:
    path = f"/http2/{length}"
    headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", f"{APP}:{site.port}"),
        (":path", path),
        ("cookie", f"jwt={site.sign_in('user')}"),
        *([("content-length", "4")] if length else []),
    ]
    whole = http2.request(headers, b"abcd")
    with site.connect(context=SPEAKING_HTTP_2) as connection:
        connection.sendall(whole[:-13])  # a frame's head has nine bytes
        within(1, lambda: path in site.application.heads)
        connection.sendall(whole[-13:])
        received = b""
        while not http2.is_over(received):
            received += connection.recv(65536)
    (seen,) = (each for each in site.application.received if each.target == path)
    assert (seen.body_bytes, seen["Remote-User"]) == (4, "user")


def test_who_gives_up_in_the_middle_is_given_up_there(site: Deployment) -> None:
    """The application takes no half body for a whole one, nor the next request for its rest."""
    token = site.sign_in("user")
    for framing, (_, middle, _) in PARTS.items():
        site.application.received.clear()
        path = f"/half/{framing[:8]}"
        with site.connect() as connection:
            connection.sendall(head(site, path, token, framing) + middle)
            within(1, lambda path=path: path in site.application.heads)  # type: ignore[misc]
            time.sleep(0.1)
        for number in range(5):
            assert site.ask(f"/next/{number}", headers=cookie(token)).text == "user"
        targets = [each.target for each in site.application.received]
        assert targets == [f"/next/{number}" for number in range(5)]


def test_a_body_that_is_too_large_for_nginx_is_not_taken_for_a_whole_one(site: Deployment) -> None:
    if site.program != "nginx":
        return  # no other file has a bound
    token, site.application.heads = site.sign_in("user"), []
    with site.connect() as connection:
        connection.sendall(head(site, "/large", token, f"Content-Length: {101 << 20}"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
    assert site.application.heads == []
    chunks = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with site.connect() as connection, contextlib.suppress(OSError):
        connection.sendall(head(site, "/larger", token, CHUNKED))
        for _ in range(110):
            connection.sendall(chunks)
        assert connection.recv(65536)[:12] in {b"HTTP/1.1 413", b""}
    assert "/larger" not in [each.target for each in site.application.received]
