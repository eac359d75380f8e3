"""`/auth/verify` over HTTP: what a proxy is told, and in which dialect."""

import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.client import BROWSER, ask, bearer, cookie, send, sign_in
from tests.support.forwarded import (
    DIALECTS,
    NAVIGATION,
    PUBLIC,
    X_FORWARDED,
    X_ORIGINAL,
    behind,
    verify,
)
from tests.support.servers import Server, Start

__all__ = ["behind"]

IDENTITY = {
    "Remote-User": "user",
    "Remote-Groups": "view_documents,view_communities",
    "Remote-Name": "-",
    "Remote-Email": "-",
    "X-Auth-Request-User": "user",
    "X-Auth-Request-Groups": "view_documents,view_communities",
    "X-Auth-Request-Email": "-",
    "X-Latchkey-Assertion": "-",
}
Carry = Callable[[str], dict[str, str]]
PATHS = ("/auth/verify", "/oauth2/auth")
REDIRECTED = {"caddy", "traefik"}
BACK = "https://app.example.org/deep/link?a=1&b=%20caf%C3%A9#x"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("carry", [cookie, bearer])
def test_who_is_signed_in_passes_with_name_and_roles(
    server: Server, path: str, carry: Carry
) -> None:
    answer = ask(server.port, path, headers=carry(sign_in(server.port, "user")))
    assert (answer.status, answer.body) == (200, b"")
    assert {name: answer[name] for name in IDENTITY} == IDENTITY
    assert answer["Vary"] == "Cookie, Authorization"
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PATHS)
def test_nobody_does_not_pass_and_learns_why(server: Server, path: str) -> None:
    for headers in ({}, cookie("bad"), bearer("bad"), BROWSER):
        answer = ask(server.port, path, headers=headers)
        assert answer.status == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert answer["Vary"] == "Cookie, Authorization"
        assert answer.all("Location") == []
        assert not set(IDENTITY) & {name for name, _ in answer.headers}
    assert ask(server.port, path).code == "credentials_missing"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?role=view_documents", 200),
        ("?role=manage_users", 403),
        ("?role=manage_users&role=view_documents", 200),
        ("?role=manage_users&role=manage_documents", 403),
        ("?role=view_communities&role=view_documents&all=1", 200),
        ("?role=view_communities&role=manage_users&all=1", 403),
        ("?role=view%5Fdocuments", 200),
        ("?all=1", 200),
        ("?proxy=nginx&role=view_documents", 200),
        ("?", 200),
    ],
)
def test_roles_decide(server: Server, query: str, status: int) -> None:
    token = sign_in(server.port, "user")
    assert verify(server, query, **cookie(token)).status == status
    assert verify(server, query).status == 401


@pytest.mark.parametrize(
    "query",
    [
        *("?roles=view_documents", "?Role=view_documents", "?role", "?role=", "?role=a,b", "?x"),
        *("?role=Admin", "?role=a%00", "?role=%ff", "?role=" + "a" * 65, "?role=a%2Cb", "?=a"),
        *("?all=true", "?all=0", "?all=", "?all=1&all=1", "?role=a;role=b", "?role=a&&role=b"),
        *("?proxy=apache", "?proxy=", "?proxy=nginx&proxy=caddy", "?proxy=NGINX", "?proxy=-"),
        *("?next=/", "?token=admin", "?role=view_documents&debug=1", "?user=admin"),
        "?" + "&".join("role=a" for _ in range(65)),
    ],
    ids=lambda query: query[:30],
)
def test_what_a_proxy_cannot_mean_is_refused_whoever_comes(server: Server, query: str) -> None:
    token = sign_in(server.port, "user")
    for headers in ({}, cookie(token)):
        answer = verify(server, query, **headers)
        assert (answer.status, answer.code) == (403, "forward_invalid")
        assert answer["Vary"] == "Cookie, Authorization"


@pytest.mark.parametrize(
    "method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT"]
)
def test_any_method_is_answered_as_get_is(server: Server, method: str) -> None:
    token = sign_in(server.port, "user")
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = verify(server, method=method, **cookie(token), **foreign)
    assert (answer.status, answer.body) == (200, b"")
    assert answer["Remote-User"] == "user"
    assert verify(server, method=method).status == 401


def test_a_body_is_not_read(server: Server) -> None:
    token = sign_in(server.port, "user")
    head = f"POST /auth/verify HTTP/1.1\r\nHost: localhost\r\nCookie: jwt={token}\r\n"
    began = time.monotonic()
    never_sent = send(server.port, f"{head}Content-Length: 100000000\r\n\r\n".encode())
    assert never_sent.startswith(b"HTTP/1.1 200 ")
    packed = send(server.port, f"{head}Content-Encoding: br\r\nContent-Length: 9\r\n\r\n".encode())
    assert packed.startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began < 30  # a connection that lingers, at most


def test_what_a_client_says_of_itself_has_no_influence(server: Server) -> None:
    forged = dict.fromkeys(IDENTITY, "admin") | {
        "Remote_User": "admin",
        "X-Forwarded-User": "admin",
        "X-Forwarded-Uri": "/public",
        "X-Original-URI": "/public",
        "X-Forwarded-Method": "OPTIONS",
        "User-Agent": "GoogleHC/1.0",
    }
    assert ask(server.port, "/auth/verify", headers=forged).status == 401
    token = sign_in(server.port, "user")
    answer = ask(server.port, "/auth/verify", headers={**forged, **cookie(token)})
    assert {name: answer[name] for name in IDENTITY} == IDENTITY


def test_name_and_address_are_there_when_they_are_known_and_fresh_when_they_change(
    start: Start,
) -> None:
    server = start()
    manager = bearer(sign_in(server.port))
    body = b'{"username": "zoe", "name": "Zo\xc3\xab, 100 %\\u20ac!", "email": "zoe@example.org"}'
    json = {"Content-Type": "application/json"}
    made = ask(server.port, "/api/v1/users", "POST", headers={**manager, **json}, body=body)
    token = sign_in(server.port, "zoe")
    answer = verify(server, **cookie(token))
    assert answer["Remote-Name"] == "Zo%C3%AB, 100 %25%E2%82%AC!"
    assert answer["Remote-Email"] == answer["X-Auth-Request-Email"] == "zoe@example.org"
    assert answer["Remote-Groups"] == answer["X-Auth-Request-Groups"] == "-"
    patch = b'{"name": "-", "roles": ["view_documents", "manage_documents"], "email": null}'
    path = made["Location"]
    assert ask(server.port, path, "PATCH", headers={**manager, **json}, body=patch).status == 200
    answer = verify(server, **cookie(token))
    assert (answer["Remote-Name"], answer["Remote-Email"]) == ("%2D", "-")
    assert set(answer["Remote-Groups"].split(",")) == {"view_documents", "manage_documents"}
    patch = b'{"disabled": true}'
    ask(server.port, path, "PATCH", headers={**manager, **json}, body=patch)
    assert verify(server, **cookie(token)).status == 401


@pytest.mark.parametrize("proxy", DIALECTS)
@pytest.mark.parametrize("navigation", [NAVIGATION, BROWSER])
def test_a_page_leads_to_the_sign_in_and_back(
    behind: Server, proxy: str, navigation: dict[str, str]
) -> None:
    answer = verify(behind, f"?proxy={proxy}", **DIALECTS[proxy], **navigation)
    assert (answer.status, answer.body) == (302 if proxy in REDIRECTED else 401, b"")
    assert bool(answer.all("WWW-Authenticate")) == (proxy not in REDIRECTED)
    assert answer["Vary"] == "Cookie, Authorization"
    target = urlsplit(answer["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == f"{PUBLIC}/auth/login"
    assert parse_qs(target.query) == {"next": [BACK]}


@pytest.mark.parametrize("proxy", DIALECTS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "application/json"},
        {"Accept": "*/*"},
        {**BROWSER, "Sec-Fetch-Mode": "cors"},
        {**BROWSER, "Sec-Fetch-Mode": "no-cors"},
        {**BROWSER, "Sec-Fetch-Mode": "websocket"},
        {**NAVIGATION, "X-Forwarded-Method": "POST", "X-Original-Method": "POST"},
        {**NAVIGATION, "X-Forwarded-Method": "get", "X-Original-Method": "get"},
        {**NAVIGATION, "X-Forwarded-Method": "", "X-Original-Method": ""},
        {**NAVIGATION, "X-Forwarded-Uri": "", "X-Original-Method": "DELETE"},
    ],
    ids=repr,
)
def test_everything_else_is_a_401_and_never_a_redirect(
    behind: Server, proxy: str, headers: dict[str, str]
) -> None:
    answer = verify(behind, f"?proxy={proxy}", **{**DIALECTS[proxy], **headers})
    assert (answer.status, answer.body, answer.all("Location")) == (401, b"", [])


@pytest.mark.parametrize("proxy", DIALECTS)
def test_a_dialect_knows_no_other_and_each_header_once(behind: Server, proxy: str) -> None:
    other = X_FORWARDED if DIALECTS[proxy] is X_ORIGINAL else X_ORIGINAL
    assert verify(behind, f"?proxy={proxy}", **other, **NAVIGATION).all("Location") == []
    for name in DIALECTS[proxy]:
        fewer = {key: value for key, value in DIALECTS[proxy].items() if key != name}
        assert verify(behind, f"?proxy={proxy}", **fewer, **NAVIGATION).all("Location") == []
        lines = [*DIALECTS[proxy].items(), (name, DIALECTS[proxy][name]), *NAVIGATION.items()]
        head = "".join(f"{key}: {value}\r\n" for key, value in lines)
        request = (
            f"GET /auth/verify?proxy={proxy} HTTP/1.1\r\nHost: localhost\r\n"
            f"Connection: close\r\n{head}\r\n"
        )
        assert b"\r\nLocation:" not in send(behind.port, request.encode())


@pytest.mark.parametrize(
    "url",
    [
        *("https://evil.example/", "https://app.example.org.evil.example/", "//app.example.org/"),
        *("javascript:alert(1)", "/relative", "", "ftp://app.example.org/"),
        *("https://app.example.org:8443/", "http://app.example.org/"),
    ],
)
def test_an_address_that_is_not_ours_is_left_out_of_next(behind: Server, url: str) -> None:
    headers = {**X_ORIGINAL, "X-Original-URL": url, **NAVIGATION}
    answer = verify(behind, "?proxy=nginx", **headers)
    assert (answer.status, answer["Location"]) == (401, f"{PUBLIC}/auth/login")


@pytest.mark.parametrize("proxy", DIALECTS)
def test_from_a_proxy_that_is_not_trusted_no_word_of_it_counts(server: Server, proxy: str) -> None:
    answer = verify(server, f"?proxy={proxy}", **DIALECTS[proxy], **NAVIGATION)
    assert (answer.status, answer.all("Location")) == (401, [])
    token = sign_in(server.port, "user")
    answer = verify(server, f"?proxy={proxy}", **DIALECTS[proxy], **cookie(token))
    assert (answer.status, answer["X-Latchkey-Assertion"]) == (200, "-")
