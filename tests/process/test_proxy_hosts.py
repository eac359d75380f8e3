"""What a client writes in `Host`: the names of the file pass, all else is refused."""

import contextlib
import re
import socket

import pytest

from tests.support import http2
from tests.support.client import BROWSER
from tests.support.proxied import beside, fresh
from tests.support.proxy_site import APP, AUTH, Application, Deployment

__all__ = ["beside"]

STORES = ("sqlite",)  # no store has a part in this

IDENTITY = {"Remote-User": "user"}


@pytest.fixture
def pair(beside: tuple[Deployment, Application]) -> tuple[Deployment, Application]:
    """Return the same, without memories; who is asked lets everybody pass."""
    return fresh(beside, IDENTITY)


def get(site: Deployment, *hosts: str, target: str = "/public/x", version: str = "1.1") -> bytes:
    """Send a request with these lines `Host`, as they are; return the answer."""
    lines = [f"GET {target} HTTP/{version}", *(f"Host: {host}" for host in hosts)]
    return site.send("\r\n".join([*lines, "Connection: close", "", ""]).encode(), patience=5)


def status(answer: bytes) -> int:
    """Return the status of an answer; a connection that was closed is a refusal too."""
    return int(answer.split(b" ", 2)[1]) if answer else 400


ODD = [
    f"evil.example/,{APP}", f"evil.example,{APP}", f"{APP},evil.example",
    f"{APP}:PORT,evil.example",
    f"{APP}, {APP}", f"{APP}:evil", f"{APP}:PORTx", f"{APP}:", f"{APP}:0", f"{APP}:99999",
    f"{APP}:-1",
    f"{APP}:0PORT", f"{APP}:PORT:PORT", f"{APP}:80@evil.example", f"{APP}:PORT@evil.example",
    f"user@{APP}", f"user:secret@{APP}", f"{APP}@evil.example", f"{APP}.", f"{APP}.:PORT",
    f".{APP}",
    "app..example.org", "app%2eexample.org", "%61pp.example.org", f"{APP}%00", f"{APP}%2fevil",
    "app_example.org", "app.example_org", f"_{APP}", f"{APP}/", f"{APP}/x", f"{APP}?x", f"{APP}#x",
    f"{APP}\\evil", f"{APP};evil", f"{APP} evil", f"{APP}\tevil", f"{APP} :PORT", f"x{APP}",
    f"{APP}.evil.example", f"evil.example.{APP}", "example.org", "*", "*.example.org", "[::1]",
    "[::1]:PORT", "127.0.0.1", "127.0.0.1:PORT", "localhost", "", "-", f'{APP}"><script>',
    f"'{APP}'",
    f"({APP})", f"{APP}:PORT/../", f"https://{APP}", f"//{APP}", "app.example.org\xe9",
    "\xadapp.example.org",
]  # fmt: skip


@pytest.mark.parametrize("host", ODD)
def test_an_odd_host_is_refused(pair: tuple[Deployment, Application], host: str) -> None:
    site, other = pair
    written = host.replace("PORT", str(site.port))
    for target in ("/public/x", "/x"):
        assert status(get(site, written, target=target)) >= 400
    for name in (AUTH, AUTH.upper()):
        written = host.replace(APP, name).replace("PORT", str(site.port))
        if written != host:
            assert status(get(site, written, target="/auth/login")) >= 400
    assert site.application.received == []
    assert other.received == []


@pytest.mark.parametrize(
    "host", [APP, f"{APP}:PORT", "APP.EXAMPLE.ORG", "App.Example.Org:PORT", f"  {APP}:PORT "]
)
def test_a_name_of_the_file_passes_in_one_spelling(
    pair: tuple[Deployment, Application], host: str
) -> None:
    site, other = pair
    written = host.replace("PORT", str(site.port))
    for target in ("/public/x", "/x"):
        get(site, written, target=target)
    assert site.application.received
    for request in site.application.received:
        assert request["Host"] in {APP, f"{APP}:{site.port}"}
        assert set(request.all("X-Forwarded-Host")) <= {APP, f"{APP}:{site.port}"}
    for question in other.received:
        assert set(question.all("X-Forwarded-Host")) <= {APP, f"{APP}:{site.port}"}
        assert set(question.all("X-Original-URL")) <= {f"{site.app}/x"}
    other.received.clear()
    written = host.replace(APP, AUTH).replace("APP.EXAMPLE", AUTH.upper()[:12])
    written = written.replace("App.Example", "Auth.Example").replace("PORT", str(site.port))
    assert status(get(site, written, target="/auth/login")) == 200
    (asked,) = other.received
    assert asked["Host"] in {AUTH, f"{AUTH}:{site.port}"}


def test_several_hosts_are_refused(pair: tuple[Deployment, Application]) -> None:
    site, other = pair
    name = f"{APP}:{site.port}"
    for hosts in (
        (name, "evil.example"),
        ("evil.example", name),
        (name, f"{AUTH}:{site.port}"),
        (f"{AUTH}:{site.port}", name),
        (name, ""),
        ("", name),
        (name, APP),
        (),
    ):
        for version in ("1.1", "1.0"):
            for target in ("/public/x", "/x"):
                assert status(get(site, *hosts, target=target, version=version)) >= 400, hosts
    assert site.application.received == []
    assert other.received == []


def test_the_first_line_names_no_other_site(pair: tuple[Deployment, Application]) -> None:
    site, other = pair
    name = f"{APP}:{site.port}"
    for authority, host in (
        ("evil.example", name),
        (name, "evil.example"),
        (f"{AUTH}:{site.port}", name),
        (name, f"{AUTH}:{site.port}"),
        (f"user@{name}", name),
        (f"user:secret@{name}", name),
        (f"{name}@evil.example", name),
        (f"{name},evil.example", name),
        (f"{APP}.:{site.port}", name),
        ("", name),
        (name, ""),
    ):
        for target in ("/public/x", "/x"):
            answer = get(site, host, target=f"https://{authority}{target}")
            assert status(answer) >= 400, (authority, host)
    assert site.application.received == []
    assert other.received == []


def test_nor_do_the_headers_of_other_proxies(pair: tuple[Deployment, Application]) -> None:
    site, other = pair
    forged = [
        *(("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Host", f"evil.example,{APP}")),
        *(("X-Original-Host", "evil.example"), ("X-Original-URL", "https://evil.example/")),
        *(("Forwarded", "host=evil.example"), ("X-Forwarded-Server", "evil.example")),
        *(("X_Forwarded_Host", "evil.example"), ("X-Forwarded-Port", "6666")),
    ]
    for target in ("/public/x", "/x"):
        site.ask(target, headers=forged)
    site.ask("/auth/login", headers=forged, host=AUTH)
    for request in (*site.application.received, *other.received):
        assert "evil" not in str(request)
        assert "6666" not in str(request)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        *((f"{APP}:evil", None), (f"evil.example,{APP}", None), (f"user@{APP}", None), ("", None)),
        *((f"{APP}.", None), (f"evil.example/,{APP}", None), (f"{APP}:0", None), ("[::1]", None)),
        *((f"{APP}/x", None), (f"{APP}:PORT", "evil.example"), ("evil.example", f"{APP}:PORT")),
        *((f"{APP}:PORT", f"{AUTH}:PORT"), (f"{AUTH}:PORT", f"{APP}:PORT"), (None, "evil.example")),
        *((None, f"{APP}:evil"), (None, f"evil.example,{APP}"), (None, None)),
    ],
)
def test_nor_does_http_2(
    pair: tuple[Deployment, Application], authority: str | None, host: str | None
) -> None:
    site, _ = pair
    headers = [(":method", "GET"), (":scheme", "https"), (":path", "/public/x")]
    for name, value in ((":authority", authority), ("host", host)):
        if value is not None:
            headers.append((name, value.replace("PORT", str(site.port))))
    site.send_http_2(http2.request(headers))
    for request in site.application.received:
        assert request["Host"] in {APP, f"{APP}:{site.port}"}
        assert authority == f"{APP}:PORT"
        assert "evil" not in str(request)


def plain(site: Deployment, *hosts: str) -> str:
    """Ask on the port of http; return the answer."""
    lines = ["GET /x?y HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close"]
    with socket.create_connection(("127.0.0.1", site.plain_port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
    return received.decode("latin-1")


@pytest.mark.parametrize("name", [APP, AUTH])
def test_http_leads_to_https_for_the_names_of_the_file(
    pair: tuple[Deployment, Application], name: str
) -> None:
    site, _ = pair
    for host in (name, name.upper()):
        answer = plain(site, host)
        assert status(answer.encode()) in {301, 308}
        (location,) = re.findall(r"^location: (.*?)\r$", answer, re.MULTILINE | re.IGNORECASE)
        assert location == f"https://{name}/x?y"


@pytest.mark.parametrize("host", ["evil.example", "other.example.org", *ODD])
def test_and_for_no_other(pair: tuple[Deployment, Application], host: str) -> None:
    site, _ = pair
    answer = plain(site, host.replace("PORT", str(site.port)))
    places = re.findall(r"^location: (.*?)\r$", answer, re.MULTILINE | re.IGNORECASE)
    assert set(places) <= {f"https://{APP}/x?y"}
    if re.sub(r":.*", "", host).rstrip(".").lower() != APP:
        assert status(answer.encode()) >= 400
        assert places == []


def test_a_page_of_the_application_leads_back_to_its_name(
    pair: tuple[Deployment, Application],
) -> None:
    """What Latchkey is told is the address of the file, whatever spelling a browser sends."""
    site, other = pair
    if site.is_asking:
        site.ask("/deep?q", headers=BROWSER, host=APP.upper())
        (question,) = other.received
        assert APP.upper() not in str(question)
