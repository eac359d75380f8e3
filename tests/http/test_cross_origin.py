"""Other origins: who may read an answer, and who may use the cookie, by the exact headers."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.client import Answer, ask, bearer, cookie, send, sign_in
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

APP = "http://app.localhost:5173"
OTHER = "https://app.example.org"
STRANGERS = (
    *("https://evil.example", "null", "*", "", f"{APP}/", APP.upper(), f"{APP}.evil.example"),
    *("http://app.localhost", "http://app.localhost:51730", "https://app.localhost:5173"),
    *(f"{APP} {OTHER}", f"{APP},{OTHER}", f"{APP}, {APP}", "http://xapp.localhost:5173"),
)
SHARED = (
    "/auth/revocations",
    "/.well-known/jwks.json",
    "/.well-known/feed-jwks.json",
    "/.well-known/assertion-jwks.json",
)
LISTED = (
    *("/auth/me", "/auth/token", "/api/v1/users", "/api/v1/users/1", "/api/v1/users/1/identities"),
    *("/api/v1/roles", "/api/v1/audit"),
)
OWN = (
    *("/", "/auth/login", "/auth/verify", "/api/", "/openapi.json", "/admin", "/healthz"),
    *("/metrics", "/auth/logout", "/auth/bypass?token=admin"),
)
READABLE = {"etag", "link", "location", "retry-after", "www-authenticate", "x-request-id"}


@pytest.fixture(scope="module")
def latchkey(start: Start) -> Server:
    """Return a server with two listed origins."""
    return start(CORS_ORIGINS=f"{APP}, {OTHER}")


def words(value: str) -> set[str]:
    """Return the members of a list in a header."""
    return {word.strip().lower() for word in value.split(",")}


def grants(answer: Answer) -> dict[str, str]:
    """Return the headers of CORS, each of which is there at most once."""
    found = [(name.lower(), value) for name, value in answer.headers]
    cors = [(name, value) for name, value in found if name.startswith("access-control-")]
    assert len(dict(cors)) == len(cors)
    return dict(cors)


def preflight(
    server: Server, path: str, origin: str, method: str = "PUT", **headers: str
) -> Answer:
    """Send what a browser sends before a request that is not simple: no credential."""
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
        **headers,
    }
    return ask(server.port, path, "OPTIONS", headers=asked)


@pytest.mark.parametrize("origin", [APP, "https://evil.example", "null"])
@pytest.mark.parametrize("path", SHARED)
def test_everybody_may_read_the_keys_and_the_feed(
    server: Server, latchkey: Server, path: str, origin: str
) -> None:
    for each in (server, latchkey):
        answer = ask(each.port, path, headers={"Origin": origin})
        assert answer.status == 200
        found = grants(answer)
        assert words(found.pop("access-control-expose-headers")) >= READABLE
        assert found == {"access-control-allow-origin": "*"}
        assert grants(ask(each.port, path)) == grants(answer)
        asked = preflight(each, path, origin, "GET")
        assert (asked.status, asked.body) == (204, b"")
        assert grants(asked)["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in grants(asked)
        assert "if-none-match" in words(grants(asked)["access-control-allow-headers"])


def test_a_304_and_an_error_of_the_feed_can_be_read(server: Server) -> None:
    headers = {"Origin": OTHER}
    first = ask(server.port, "/.well-known/jwks.json", headers=headers)
    known = {**headers, "If-None-Match": first["ETag"]}
    for path, status in (("/.well-known/jwks.json", 304), ("/auth/revocations?since=x", 400)):
        answer = ask(server.port, path, headers=known)
        assert (answer.status, answer["Access-Control-Allow-Origin"]) == (status, "*")


@pytest.mark.parametrize("origin", [APP, OTHER])
@pytest.mark.parametrize("path", LISTED)
def test_a_listed_origin_may_read_the_api(latchkey: Server, path: str, origin: str) -> None:
    token = sign_in(latchkey.port)
    for credential in (cookie(token), bearer(token), {}):
        answer = ask(latchkey.port, path, headers={"Origin": origin, **credential})
        assert answer.status == (200 if credential else 401)
        assert answer["Vary"] == "Origin"
        found = grants(answer)
        assert words(found.pop("access-control-expose-headers")) >= READABLE
        assert found == {
            "access-control-allow-origin": origin,
            "access-control-allow-credentials": "true",
        }


@pytest.mark.parametrize("origin", STRANGERS)
@pytest.mark.parametrize("path", ["/auth/me", "/auth/token", "/api/v1/users"])
def test_another_origin_may_not_read_the_api(latchkey: Server, path: str, origin: str) -> None:
    token = sign_in(latchkey.port)
    for credential in (cookie(token), bearer(token), {}):
        answer = ask(latchkey.port, path, headers={"Origin": origin, **credential})
        assert (grants(answer), answer["Vary"]) == ({}, "Origin")
    asked = preflight(latchkey, path, origin)
    assert (asked.status, grants(asked), asked["Vary"]) == (204, {}, "Origin")


def test_two_origins_are_none(latchkey: Server) -> None:
    head = f"GET /auth/me HTTP/1.1\r\nHost: localhost\r\nOrigin: {APP}\r\nOrigin: {APP}\r\n"
    raw = send(latchkey.port, f"{head}Connection: close\r\n\r\n".encode())
    assert b"access-control-" not in raw.lower()


@pytest.mark.parametrize("path", LISTED)
def test_without_the_setting_no_origin_may(server: Server, path: str) -> None:
    token = sign_in(server.port)
    answer = ask(server.port, path, headers={"Origin": APP, **cookie(token)})
    assert (answer.status, grants(answer), answer.all("Vary")) == (200, {}, [])
    asked = preflight(server, path, APP)
    assert (asked.status, asked.code, grants(asked)) == (405, "method_not_allowed", {})


@pytest.mark.parametrize("path", OWN)
def test_nothing_else_is_shared(latchkey: Server, path: str) -> None:
    token = sign_in(latchkey.port)
    answer = ask(latchkey.port, path, headers={"Origin": APP, **cookie(token)})
    assert grants(answer) == {}
    assert grants(preflight(latchkey, path, APP)) == {}


METHODS = {
    "/auth/me": {"get", "head", "options"},
    "/auth/token": {"get", "head", "options"},
    "/api/v1/users": {"get", "head", "options", "post"},
    "/api/v1/users/1": {"delete", "get", "head", "options", "patch", "put"},
    "/api/v1/users/1/sign-out": {"options", "post"},
    "/api/v1/users/1/identities": {"delete", "get", "head", "options", "post"},
    "/api/v1/roles": {"get", "head", "options", "post"},
    "/api/v1/roles/1": {"delete", "options"},
    "/api/v1/audit": {"get", "head", "options"},
}


@pytest.mark.parametrize(("path", "methods"), METHODS.items())
def test_a_preflight_needs_no_credential(latchkey: Server, path: str, methods: set[str]) -> None:
    answer = preflight(latchkey, path, APP)
    assert (answer.status, answer.body, answer["Vary"]) == (204, b"", "Origin")
    found = grants(answer)
    assert found["access-control-allow-origin"] == APP
    assert found["access-control-allow-credentials"] == "true"
    assert words(found["access-control-allow-methods"]) == words(answer["Allow"]) == methods
    assert words(found["access-control-allow-headers"]) >= {
        *("authorization", "content-type", "if-match", "if-none-match"),
    }
    assert 0 < int(found["access-control-max-age"]) <= 7200
    assert answer.all("Set-Cookie") == []


def test_a_preflight_never_authenticates(latchkey: Server) -> None:
    for headers in ({"Cookie": "jwt=x; jwt=y"}, {"Authorization": "Bearer x"}):
        assert preflight(latchkey, "/api/v1/users", APP, **headers).status == 204
    plain = ask(latchkey.port, "/api/v1/users", "OPTIONS")
    assert (plain.status, grants(plain)) == (204, {})


def test_errors_can_be_read(latchkey: Server) -> None:
    user = sign_in(latchkey.port, "user")
    headers = {"Origin": APP, **cookie(user)}
    rows = [
        ("GET", "/api/v1/users", 403, "role_missing"),
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("PUT", "/api/v1/roles", 405, "method_not_allowed"),
        ("DELETE", "/auth/me", 405, "method_not_allowed"),
    ]
    admin = {"Origin": APP, **cookie(sign_in(latchkey.port))}
    rows_of_admin = [
        ("GET", "/api/v1/users/999", 404, "user_not_found"),
        ("GET", "/api/v1/users?limit=x", 422, "validation_error"),
        ("POST", "/api/v1/users", 415, "content_type_unsupported"),
    ]
    for sent, table in ((headers, rows), (admin, rows_of_admin)):
        for method, path, status, code in table:
            answer = ask(latchkey.port, path, method, headers=sent)
            assert (answer.status, answer.code) == (status, code)
            assert grants(answer)["access-control-allow-origin"] == APP, path


# The cookie in changes


def create(server: Server, headers: Mapping[str, str], token: str) -> Answer:
    """Create a user by the cookie."""
    body = json.dumps({"username": f"made-{time.monotonic_ns()}"}).encode()
    sent = {"Content-Type": "application/json", **cookie(token), **headers}
    return ask(server.port, "/api/v1/users", "POST", headers=sent, body=body)


FETCHES: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
]


@pytest.mark.parametrize("fetch", FETCHES, ids=lambda fetch: fetch.get("Sec-Fetch-Site", "none"))
def test_a_listed_origin_may_change_with_the_cookie(
    latchkey: Server, fetch: dict[str, str]
) -> None:
    token = sign_in(latchkey.port)
    made = create(latchkey, {"Origin": APP, **fetch}, token)
    assert (made.status, made["Access-Control-Allow-Origin"]) == (201, APP)
    sent = {"Origin": APP, **fetch, **cookie(token)}
    path = made["Location"]
    assert ask(latchkey.port, f"{path}/sign-out", "POST", headers=sent).status == 204
    assert ask(latchkey.port, path, "DELETE", headers=sent).status == 204


@pytest.mark.parametrize("fetch", FETCHES, ids=lambda fetch: fetch.get("Sec-Fetch-Site", "none"))
@pytest.mark.parametrize("origin", STRANGERS)
def test_another_origin_may_not_change_with_the_cookie(
    latchkey: Server, origin: str, fetch: dict[str, str]
) -> None:
    answer = create(latchkey, {"Origin": origin, **fetch}, sign_in(latchkey.port))
    assert (answer.status, answer.code, grants(answer)) == (403, "cross_site_request", {})


def test_without_an_origin_fetch_metadata_decides(latchkey: Server) -> None:
    for site, status in (("same-site", 403), ("cross-site", 403), ("same-origin", 201)):
        headers = {"Sec-Fetch-Site": site}
        assert create(latchkey, headers, sign_in(latchkey.port)).status == status


@pytest.mark.parametrize(
    "path",
    ["/auth/logout", "/admin/users/new", "/admin/roles", "/auth/logout?everywhere=true"],
)
@pytest.mark.parametrize("fetch", FETCHES, ids=lambda fetch: fetch.get("Sec-Fetch-Site", "none"))
def test_other_routes_refuse_a_listed_origin(
    latchkey: Server, path: str, fetch: dict[str, str]
) -> None:
    token = sign_in(latchkey.port)
    sent = {"Origin": APP, "Accept": "application/json", **fetch, **cookie(token)}
    answer = ask(latchkey.port, path, "POST", headers=sent)
    assert (answer.status, answer.code, grants(answer)) == (403, "cross_site_request", {})
    assert ask(latchkey.port, "/auth/me", headers=bearer(token)).status == 200


def test_without_the_setting_the_cookie_is_for_our_own_pages(server: Server) -> None:
    answer = create(server, {"Origin": APP}, sign_in(server.port))
    assert (answer.status, answer.code) == (403, "cross_site_request")


def test_config_check_shows_the_origins(latchkey: Server) -> None:
    rows: list[dict[str, Any]] = json.loads(latchkey.cli("config", "check", "--json").stdout)
    values = {row["setting"]: row["value"] for row in rows}
    assert values["CORS_ORIGINS"] == f"{APP}, {OTHER}"
