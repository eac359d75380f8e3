"""Requests through a real nginx, Caddy and HAProxy: paths, bodies, upgrades, host names."""

import base64
import contextlib
import socket
import ssl

import pytest

from tests.support.client import Answer, bearer, cookie
from tests.support.proxied import shared, site
from tests.support.proxy_site import APP, AUTH, IDENTITY, Deployment, Headers

__all__ = ["shared", "site"]

STORES = ("sqlite",)  # no store has a part in this


def reached(site: Deployment, path: str = "/", method: str = "GET", **request: object) -> list[str]:
    """Return the targets that the application saw of one request."""
    site.application.received.clear()
    site.ask(path, method, **request)  # type: ignore[arg-type]
    return [each.target for each in site.application.received]


@pytest.mark.parametrize(
    "path",
    [
        "//admin/x",
        "/public//admin/x",
        "/./admin/x",
        "/public/../admin/x",
        "/public/..",
        "/public/..;/admin/x",
        "/public/%2e%2e/admin/x",
        "/public/.%2E/admin/x",
        "/public/..%2fadmin/x",
        "/public/%252e%252e/admin/x",
        "/public/..%5cadmin/x",
        "/public\\..\\admin\\x",
        "/admin;x=1/x",
        "/admin%3bx=1/x",
        "/admin%00/x",
        "/admin%0a",
        "/admin%09",
        "/admin%0D/x",
        "/admin%7f",
        "/admin%20",
        "/admin%20/x",
        "/admin%2520",
        "/public/.%09./admin",
        "/public/..%20/admin",
        "/public/..%c0%afadmin",
        "/public/%C0%AE%c0%ae/admin",
        "/public/..%e0%80%afadmin",
        "/admin/5%",
        "/admin/%zz",
        "/admin/x%2",
        "/admin%zz",
        "/public/#/../../admin/x",
    ],
)
def test_a_path_with_two_readings_is_refused(site: Deployment, path: str) -> None:
    for headers in ({}, cookie(site.sign_in("admin"))):
        assert site.ask(path, headers=headers).status == 400
    assert site.application.received == []


def test_a_path_with_one_reading_arrives_as_it_was_sent(site: Deployment) -> None:
    for target in (
        "/a.b/c..d/.well-known/...?x=//../;%2e%2F\\",
        "/%C3%A9/100%25/a%20b/~x/(1)/:@!$&'*+,=",
    ):
        assert reached(site, target, headers=cookie(site.sign_in())) == [target]


def test_a_long_address_is_checked_or_refused(site: Deployment) -> None:
    headers = cookie(site.sign_in())
    for target in ("/" + "x" * length for length in (7500, 8100, 8150, 8180, 8300, 20_000)):
        site.application.received.clear()
        answer = site.ask(target, headers=headers)
        seen = [(each.target, each["Remote-User"]) for each in site.application.received]
        if answer.status == 200:
            assert (answer.text, seen) == ("admin", [(target, "admin")])
        else:
            assert answer.status >= 400
            assert len(target) > 7600
            assert seen == []


@pytest.mark.parametrize("framing", ["Content-Length", "chunked"])
def test_an_upload_reaches_the_application_whole(site: Deployment, framing: str) -> None:
    headers = [*cookie(site.sign_in()).items()]
    body = b"x" * 3_000_000
    if framing == "chunked":
        pieces = [body[at : at + 60_000] for at in range(0, len(body), 60_000)]
        wire = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        answer = _send_chunked(site, headers, wire)
    else:
        answer = site.ask("/upload", "POST", headers=headers, body=body)
    assert answer.status == 200
    assert [each.body_bytes for each in site.application.received] == [len(body)]
    assert site.ask("/upload", "POST", body=body[:1000]).status == 401
    assert len(site.application.received) == 1


def _send_chunked(site: Deployment, headers: Headers, wire: bytes) -> Answer:
    lines = ["POST /upload HTTP/1.1", f"Host: {APP}:{site.port}", "Transfer-Encoding: chunked"]
    lines += ["Connection: close", *(f"{name}: {value}" for name, value in headers), "", ""]
    received = site.send("\r\n".join(lines).encode() + wire, patience=20)
    return Answer(int(received.split(b" ", 2)[1]), [], received)


def test_a_websocket_passes_after_the_check(site: Deployment) -> None:
    token = site.sign_in("user")
    forged = {"Remote-User": "admin", "Remote_User": "admin"}
    for headers in (cookie(token), bearer(token)):
        answer = site.talk("hello", {**headers, **forged})
        assert (answer.status, answer.text) == (101, "user: hello")
    site.application.received.clear()
    for headers in (forged, cookie("nonsense")):
        assert site.talk("hello", headers).status == 401
    assert site.application.received == []


def test_nothing_else_upgrades(site: Deployment) -> None:
    headers = [
        *cookie(site.sign_in()).items(),
        ("Connection", "Upgrade, HTTP2-Settings, Remote-User"),
        ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", base64.b64encode(bytes(16)).decode()),
    ]
    for upgrades in (
        ["h2c"],
        ["TLS/1.0"],
        ["websocket, h2c"],
        ["h2c, websocket"],
        ["websocket", "h2c"],
        ["h2c", "websocket"],
    ):
        site.ask(headers=[*headers, *(("Upgrade", each) for each in upgrades)])
    seen = site.application.received
    assert {upgrade.lower() for each in seen for upgrade in each.all("Upgrade")} <= {"websocket"}
    assert [each.all("Remote-User") for each in seen] == [["admin"]] * len(seen)


SEEN = "POST {path} HTTP/1.1\r\nHost: {host}\r\nCookie: jwt={token}\r\n"
HIDDEN = "GET /admin/hidden HTTP/1.1\r\nHost: {host}\r\nRemote-User: admin\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: {size}\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: {size}\r\n\r\n",
        "Content-Length: 0, {size}\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: {size}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: {size}\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "X: y\r\n Content-Length: 0\r\nContent-Length: {size}\r\n\r\n",
        "X: y\nContent-Length: 0\r\nContent-Length: {size}\r\n\r\n",
        "Expect: 100-continue\r\nContent-Length: {size}\r\n\r\n",
        "Connection: Content-Length\r\nContent-Length: {size}\r\n\r\n",
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: {size}\r\n\r\n",
    ],
)
def test_no_request_comes_in_hidden_in_another(site: Deployment, framing: str) -> None:
    for path, token in (("/public/x", ""), ("/x", site.sign_in("user"))):
        hidden = HIDDEN.format(host=f"{APP}:{site.port}")
        seen = SEEN.format(path=path, host=f"{APP}:{site.port}", token=token)
        site.send((seen + framing.format(size=len(hidden)) + hidden).encode())
    targets = {each.target for each in site.application.received}
    assert targets <= {"/public/x", "/x"}
    assert site.ask(headers=cookie(site.sign_in("manager"))).text == "manager"


def test_the_request_line_names_no_other_site(site: Deployment) -> None:
    token = site.sign_in("user")
    for line, host in (
        (f"GET {site.app}/admin/x HTTP/1.1", f"{APP}:{site.port}"),
        (f"GET {site.auth}/public/../admin/x HTTP/1.1", f"{APP}:{site.port}"),
        (f"GET {site.app}/admin/x HTTP/1.1", f"{AUTH}:{site.port}"),
        ("GET /admin/x HTTP/1.1", f"{APP}:{site.port}\r\nHost: {AUTH}:{site.port}"),
        ("GET /admin/x HTTP/1.1", "evil.example.org"),
        ("GET /x HTTP/1.1", "evil.example.org"),
        ("GET /public/x HTTP/1.1", "evil.example.org"),
        ("GET http:///admin/x HTTP/1.1", APP),
        ("GET admin/x HTTP/1.1", APP),
    ):
        site.send(f"{line}\r\nHost: {host}\r\nCookie: jwt={token}\r\n\r\n".encode())
    assert site.application.received == []


@pytest.mark.parametrize("junk", [":80@evil.example.org", ':"><script>', ":evil.example.org"])
def test_the_host_that_the_application_sees_is_no_story(site: Deployment, junk: str) -> None:
    token = site.sign_in()
    site.send(f"GET /x HTTP/1.1\r\nHost: {APP}{junk}\r\nCookie: jwt={token}\r\n\r\n".encode())
    for request in site.application.received:
        assert request["Host"].partition(":")[0] == APP
        assert request["Host"].partition(":")[2] in {"", str(site.port)}


@pytest.mark.parametrize(
    "path", ["/auth/verify", "/oauth2/auth", "//auth/verify", "/auth/verif%79", "/auth/./verify",
             "/AUTH/VERIFY", "/auth/verify/", "/auth/verify?proxy=caddy", "/metrics"]
)  # fmt: skip
def test_the_proxys_question_is_not_for_clients(site: Deployment, path: str) -> None:
    story = {
        "X-Original-Method": "GET",
        "X-Original-URL": f"{site.app}/",
        "X-Forwarded-Method": "GET",
        "X-Forwarded-Uri": "/",
    }
    answer = site.ask(path, headers={**cookie(site.sign_in()), **story}, host=AUTH)
    assert answer.status in {400, 404}
    assert [name for name in IDENTITY if answer.all(name)] == []


def test_http_leads_to_https(site: Deployment) -> None:
    with socket.create_connection(("127.0.0.1", site.plain_port), timeout=10) as connection:
        connection.sendall(f"GET /x HTTP/1.1\r\nHost: {APP}\r\n\r\n".encode())
        first = connection.recv(65536).decode()
    assert first.split(" ", 2)[1] in {"301", "308"}
    assert f"location: https://{APP}" in first.lower()


def test_a_name_that_is_not_served_is_no_way_in(site: Deployment) -> None:
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        site.ask("/public/x", host="other.example.org")
    assert site.application.received == []
