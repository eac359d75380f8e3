"""The description of the API: each answer that comes is in it, and each in it comes."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from service.web import openapi
from tests.support.client import BROWSER, Answer, ask, bearer, cookie, rested, send, sign_in
from tests.support.description import Operation, assert_documented, document, operations
from tests.support.servers import Server, Start
from tests.support.stores import unreachable

__all__ = ["document"]

NO_ROWS = {
    "408": "ten seconds for each operation; tests/http/test_connection.py waits for one",
    "500": "a fault that we do not have; tests/http/test_connection.py makes one inside",
}
"""What no row produces."""
ONLY_INSIDE = {
    ("GET", "/auth/token", "403"): "needs a user whose roles have grown since the sign-in",
    (
        "POST",
        "/auth/logout",
        "200",
    ): "needs an OpenID provider; tests/http/test_oidc_sign_out.py has one",
    ("GET", "/auth/verify", "302"): "needs a trusted proxy; tests/http/test_forward_auth.py is one",
    ("GET", "/oauth2/auth", "302"): "the same",
}
WITHOUT_DATABASE = {"/docs/{name}", "/openapi.json"}
"""What answers 503 to a crowd alone; tests/process/test_admission.py has one."""


@dataclass(frozen=True)
class Row:
    """A request that produces a documented answer."""

    method: str
    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    values: dict[str, str] = field(default_factory=dict)
    signed_in: bool = False

    @property
    def target(self) -> str:
        """The path and the query to ask for."""
        return self.path.format(**self.values) + self.query


CROSS = {"Sec-Fetch-Site": "cross-site"}
FORWARD = ("/auth/verify", "/oauth2/auth")
"""They never read a body."""
ANY_TAG = {"If-None-Match": "*"}
ROWS = [
    Row("GET", "/", 200),
    Row("GET", "/", 200, signed_in=True),
    Row("GET", "/auth/login", 200, query="?next=/auth/me"),
    Row("GET", "/auth/login", 200, query="?next=/auth/me", headers=CROSS),
    Row("GET", "/auth/login", 302, query="?next=/auth/me&landed=1", signed_in=True),
    Row("GET", "/auth/bypass", 302, query="?token=admin"),
    Row("GET", "/auth/bypass", 200, query="?token=admin", headers=CROSS),
    Row("GET", "/auth/bypass", 400),
    Row("GET", "/auth/bypass", 400, query="?token=a&token=b"),
    Row("GET", "/auth/bypass", 400, query="?token=-"),
    Row("GET", "/auth/bypass", 401, query="?token=nobody"),
    Row("GET", "/auth/bypass", 403, query="?token=admin", headers={"Via": "1.1 proxy"}),
    Row("GET", "/auth/bypass", 403, query="?token=admin", headers={"Host": "example.com"}),
    Row("GET", "/auth/bypass", 403, query="?token=admin", headers={"Purpose": "prefetch"}),
    Row("GET", "/auth/me", 200, signed_in=True),
    Row("GET", "/auth/token", 200, signed_in=True),
    Row("GET", "/account", 200, signed_in=True),
    *(
        Row("GET", path, status, query=query, signed_in=True)
        for path in FORWARD
        for status, query in (
            (200, ""),
            (200, "?proxy=nginx&role=view_documents"),
            (403, "?role=manage_users"),
            (403, "?roles=view_documents"),
        )
    ),
    Row("GET", "/auth/logout", 200, headers=CROSS),
    Row("GET", "/auth/logout", 302, signed_in=True),
    Row("POST", "/auth/logout", 302),
    Row("POST", "/auth/logout", 302, signed_in=True, query="?next=/auth/login"),
    Row("POST", "/auth/logout", 403, signed_in=True, headers=CROSS),
    Row("GET", "/auth/revocations", 200),
    Row("GET", "/auth/revocations", 304, headers={"If-None-Match": "{tag}"}),
    Row("GET", "/auth/revocations", 400, query="?since=-1"),
    Row("GET", "/.well-known/jwks.json", 200),
    Row("GET", "/.well-known/jwks.json", 304, headers=ANY_TAG),
    Row("GET", "/.well-known/feed-jwks.json", 200),
    Row("GET", "/.well-known/feed-jwks.json", 304, headers=ANY_TAG),
    Row("GET", "/.well-known/assertion-jwks.json", 200),
    Row("GET", "/.well-known/assertion-jwks.json", 304, headers=ANY_TAG),
    Row("GET", "/static/{name}", 200, values={"name": "latchkey.css"}),
    Row("GET", "/static/{name}", 200, values={"name": "icon.svg"}),
    Row("GET", "/static/{name}", 200, values={"name": "docs.js"}),
    Row("GET", "/static/{name}", 304, values={"name": "icon.svg"}, headers=ANY_TAG),
    Row("GET", "/static/{name}", 404, values={"name": "nothing"}),
    Row("GET", "/docs", 200),
    Row("GET", "/docs/{name}", 200, values={"name": "swagger-ui.css"}),
    Row("GET", "/docs/{name}", 200, values={"name": "swagger-ui-bundle.js"}),
    Row("GET", "/docs/{name}", 304, values={"name": "swagger-ui.css"}, headers=ANY_TAG),
    Row("GET", "/docs/{name}", 404, values={"name": "index.html"}),
    Row("GET", "/openapi.json", 200),
    Row("GET", "/openapi.json", 304, headers=ANY_TAG),
    Row("GET", "/healthz", 200),
    Row("GET", "/ping", 200),
    Row("GET", "/readyz", 200),
    Row("GET", "/ready", 200),
    Row("GET", "/metrics", 200),
]
TWICE = {("POST", "/auth/logout", "401")}
"""Answers to two Authorization headers, which a Row cannot hold."""


def filled(path: str) -> str:
    """Return a path with something in its place-holders."""
    return path.replace("{name}", "latchkey.css").replace("{id}", "1")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path} {row.status}")
def test_an_answer_is_documented(server: Server, document: openapi.Document, row: Row) -> None:
    rested(2)
    # Above every row: the feed is read first, so that the tag is still right when it is sent.
    tag = ask(server.port, f"/auth/revocations?since={2**53}")["ETag"]
    headers = {name: value.replace("{tag}", tag) for name, value in row.headers.items()}
    if row.signed_in:
        headers |= cookie(sign_in(server.port, "user"))
    answer = ask(server.port, row.target, row.method, headers=headers)
    assert answer.status == row.status, answer.text
    assert_documented(document, row.method, row.path, answer)


def credentials(server: Server, operation: dict[str, Any]) -> dict[str, str]:
    """Return a bearer token where an operation needs one."""
    return {} if "security" in operation else bearer(sign_in(server.port))


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (413, {"Content-Length": "65537"}),
        (415, {"Content-Encoding": "gzip", "Content-Length": "1"}),
        (431, {"X-Long": "x" * 33_000}),
        (417, {"Expect": "a-miracle"}),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", BROWSER["Accept"]])
def test_every_operation_refuses_a_bad_body(
    server: Server,
    document: openapi.Document,
    status: int,
    headers: dict[str, str],
    accept: str,
) -> None:
    for (method, path), operation in operations(document).items():
        if path in FORWARD and status not in {417, 431}:
            continue
        answer = ask(
            server.port,
            filled(path),
            method,
            headers={**headers, **credentials(server, operation), "Accept": accept},
            body=b"x",
        )
        assert answer.status == status, (method, path)
        assert_documented(document, method, path, answer)


def test_every_operation_refuses_a_body_that_breaks_off(
    server: Server, document: openapi.Document
) -> None:
    for (method, path), operation in operations(document).items():
        if path in FORWARD:
            continue
        lines = credentials(server, operation) | {
            "Host": "localhost",
            "Transfer-Encoding": "chunked",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        request = f"{method} {filled(path)} HTTP/1.1\r\n{head}\r\nnot a size\r\n\r\n"
        answer = _parse(send(server.port, request.encode()))
        assert answer.status == 400, (method, path)
        assert answer.code == "request_invalid"


def _parse(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return Answer(int(first.split()[1]), headers, body)


def closed(document: openapi.Document) -> list[Operation]:
    """Return the operations that need a credential."""
    return [key for key, operation in operations(document).items() if "security" not in operation]


def test_every_closed_operation_asks_for_a_credential(
    server: Server, document: openapi.Document
) -> None:
    for method, path in closed(document):
        for headers in ({}, {"Cookie": "jwt=bad"}, {"Cookie": "jwt=a; jwt=b"}, BROWSER):
            answer = ask(server.port, filled(path), method, headers=headers)
            assert answer.status == 401
            assert_documented(document, method, path, answer)


def test_two_authorization_headers_are_a_documented_refusal(
    server: Server, document: openapi.Document
) -> None:
    for method, path, status in TWICE:
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"
        )
        answer = _parse(send(server.port, request.encode()))
        assert (answer.status, answer.code) == (int(status), "authorization_ambiguous")
        assert_documented(document, method, path, answer)


def test_every_operation_that_needs_the_database_says_when_it_is_gone(start: Start) -> None:
    server = start(REVOCATION_MAX_STALENESS="1s")
    document = ask(server.port, "/openapi.json").json
    token = bearer(sign_in(server.port))
    with unreachable(server.database):
        while ask(server.port, "/auth/me", headers=token).status == 200:
            pass
        for (method, path), operation in operations(document).items():
            if "503" in operation["responses"] and path not in WITHOUT_DATABASE:
                query = {"/auth/bypass": "?token=admin", "/auth/revocations": "?since=9999"}.get(
                    path, ""
                )
                answer = ask(server.port, filled(path) + query, method, headers=token)
                assert answer.status == 503, (method, path)
                assert_documented(document, method, path, answer)


def test_each_documented_answer_has_a_row(document: openapi.Document) -> None:
    documented = {
        (method, path, status)
        for (method, path), operation in operations(document).items()
        for status in operation["responses"]
        # tests/http/test_openapi_api.py, tests/http/test_openapi_admin.py
        if not path.startswith(("/api/", "/admin"))
    }
    closed_ones = {(method, path, "401") for method, path in closed(document)}
    produced = {(row.method, row.path, str(row.status)) for row in ROWS} | closed_ones | TWICE
    bodies = {"400", "413", "414", "415", "417", "431", "503"}
    rest = {row for row in documented - produced if row[2] not in bodies and row[2] not in NO_ROWS}
    assert rest == ONLY_INSIDE.keys()
