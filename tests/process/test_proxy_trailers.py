"""Header lines after a body (trailers) do not reach the application, through any proxy."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support import http2
from tests.support.proxies import FILES, deployed_beside
from tests.support.proxy_site import APP, Application, Deployment
from tests.support.trailers import TrailerApplication

STORES = ("sqlite",)  # no store has a part in this


@dataclass(frozen=True)
class Site:
    """A proxy in front of an application that reads trailers."""

    proxy: Deployment
    application: TrailerApplication

    def post(self, body: bytes, *headers: str, path: str = "/public/x") -> bytes:
        """Send a chunked request, its body as it is; return the answer."""
        lines = [f"POST {path} HTTP/1.1", f"Host: {APP}:{self.proxy.port}"]
        lines += ["Transfer-Encoding: chunked", "Connection: close", *headers, "", ""]
        return self.proxy.send("\r\n".join(lines).encode() + body, patience=5)


@pytest.fixture(scope="module", params=FILES)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Yield a deployment that the tests share; what it asks lets everybody pass."""
    folder = tmp_path_factory.mktemp(request.param)
    with Application() as other, TrailerApplication() as application:
        other.answers["/auth/verify"] = 200, {"Remote-User": "user"}
        with deployed_beside(other, request.param, folder, application.port) as deployment:
            yield Site(deployment, application)


@pytest.fixture
def site(shared: Site) -> Site:
    """Return the shared deployment, its application without memories."""
    shared.application.received.clear()
    return shared


FORGED = (
    b"Remote-User: admin",
    b"remote-user: admin",
    b"Remote_User: admin",
    b"X-Auth-Request-User: admin\r\nX-Auth-Request-Groups: manage_users",
    b"X-Latchkey-Assertion: x\r\nX-Forwarded-User: admin",
    b"Cookie: jwt=x\r\nAuthorization: Bearer x",
    b"X-T: 1\r\nRemote-User: admin\r\nX-U: 2",
    b"Remote-User:admin",
    b"Remote-User: \tadmin",
    b"X: y\r\n Remote-User: admin",
    b"Host: evil.example\r\nContent-Length: 5",
    b"Transfer-Encoding: chunked\r\nX-Original-URL: /admin",
    b"X-Checksum: harmless",
)
ANNOUNCED: tuple[tuple[str, ...], ...] = (
    (),
    ("Trailer: Remote-User",),
    ("TE: trailers",),
    ("Trailer: Remote-User, X-T", "TE: trailers"),
    ("Connection: TE", "TE: trailers", "Trailer: Remote-User"),
)


@pytest.mark.parametrize("announced", ANNOUNCED, ids=" ".join)
@pytest.mark.parametrize("path", ["/public/x", "/x"])
def test_no_trailer_reaches_the_application(
    site: Site, announced: tuple[str, ...], path: str
) -> None:
    for trailers in FORGED:
        for body in (b"2\r\nhi\r\n0\r\n", b"0\r\n", b"1;x=y\r\nh\r\n1\r\ni\r\n000\r\n"):
            site.post(body + trailers + b"\r\n\r\n", *announced, path=path)
    for request in site.application.received:
        assert request.trailers == ()
        assert request.body in {b"", b"hi"}
        assert "admin" not in str(request.headers)


def test_nor_after_a_large_body_or_many_small_chunks(site: Site) -> None:
    many, large = b"1\r\nx\r\n" * 30_000, (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 40
    for body in (many, large):
        site.application.received.clear()
        site.post(body + b"0\r\nRemote-User: admin\r\n\r\n")
        assert [each.trailers for each in site.application.received] in ([], [()])
        site.application.received.clear()
        answer = site.post(body + b"0\r\n\r\n")
        if site.proxy.is_asking:
            assert answer.startswith(b"HTTP/1.1 200 ")
            (whole,) = site.application.received
            assert set(whole.body) == {ord("x")}


@pytest.mark.parametrize(
    "pieces",
    [
        [b"2\r\nhi\r\n", b"0\r\nRemote-User: admin\r\n\r\n"],
        [b"2\r\nhi\r\n0\r\n", b"Remote-User: admin\r\n\r\n"],
        [b"2\r\nhi\r\n0\r\nRemote-", b"User: admin\r\n\r\n"],
        [b"2\r\nhi\r\n0\r\nRemote-User: admin\r\n", b"\r\n"],
        [b"2\r\nhi\r\n0\r\nX: y\r\nRemote-User: admin\r\n\r", b"\n"],
    ],
)
def test_nor_in_pieces(site: Site, pieces: list[bytes]) -> None:
    head = f"POST /public/x HTTP/1.1\r\nHost: {APP}:{site.proxy.port}\r\nConnection: close\r\n"
    with site.proxy.connect() as connection:
        connection.settimeout(5)
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):  # refused before it was sent to its end
            for piece in pieces:
                time.sleep(0.02)  # so that the proxy reads each by itself
                connection.sendall(piece)
            while connection.recv(65536):
                pass
    assert [each.trailers for each in site.application.received] in ([], [()])


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("length", ["a length", "no length"])
@pytest.mark.parametrize("announced", [[], [("trailer", "remote-user"), ("te", "trailers")]])
@pytest.mark.parametrize("body", [b"hi", b"", None])
def test_nor_by_http_2(
    site: Site, method: str, length: str, announced: list[tuple[str, str]], body: bytes | None
) -> None:
    headers = [
        (":method", method),
        (":scheme", "https"),
        (":authority", f"{APP}:{site.proxy.port}"),
        (":path", "/public/x"),
        *([("content-length", str(len(body or b"")))] if length == "a length" else []),
        *announced,
    ]
    site.proxy.send_http_2(http2.request(headers, body, [("remote-user", "admin"), ("x-t", "1")]))
    for request in site.application.received:
        assert request.trailers == ()
        assert request.all("Remote-User") == []


def test_a_chunked_upload_without_trailers_passes(site: Site) -> None:
    for announced in ANNOUNCED:
        site.application.received.clear()
        answer = site.post(b"2\r\nhi\r\n0\r\n\r\n", *announced)
        if site.proxy.is_asking:
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert [each.body for each in site.application.received] == [b"hi"]
        else:  # it has no filter for trailers, and wants to know the length
            assert answer.startswith(b"HTTP/1.1 411 ")
            assert site.application.received == []


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("body", [b"hi" * 50_000, b"", None])
def test_a_request_with_a_length_or_without_a_body_passes(
    site: Site, method: str, body: bytes | None
) -> None:
    assert site.proxy.ask("/public/x", method, body=body).status == 200
    assert [each.body for each in site.application.received] == [body or b""]
    headers = [(":method", method), (":scheme", "https"), (":path", "/public/x")]
    headers.append((":authority", f"{APP}:{site.proxy.port}"))
    if body is not None:
        headers.append(("content-length", str(min(2, len(body)))))
    site.application.received.clear()
    assert b"ok" in site.proxy.send_http_2(http2.request(headers, body and body[:2]))
    assert [each.body for each in site.application.received] == [(body or b"")[:2]]
