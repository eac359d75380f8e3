"""The description of the REST API, both ways: what it documents is answered, and the reverse."""

import json

from tests.support.client import Answer, ask, bearer, cookie, sign_in
from tests.support.description import assert_documented, operations
from tests.support.servers import Start

USERS, ROLES, AUDIT = "/api/v1/users", "/api/v1/roles", "/api/v1/audit"
IDENTITIES = f"{USERS}/{{id}}/identities"
USER, ROLE = f"{USERS}/{{id}}", f"{ROLES}/{{id}}"
ELSEWHERE = {"401", "408", "413", "414", "417", "431", "500", "503"}
"""Produced for all operations alike: tests/http/test_openapi_answers.py."""


def test_each_documented_answer_of_the_api_comes_and_each_that_comes_is_documented(  # noqa: C901, PLR0915  # one journey
    start: Start,
) -> None:
    server = start()
    document = ask(server.port, "/openapi.json").json
    manager, nobody = bearer(sign_in(server.port)), bearer(sign_in(server.port, "user"))
    jar = {**cookie(sign_in(server.port)), "Sec-Fetch-Site": "cross-site"}
    came: set[tuple[str, str, str]] = set()

    def answers(  # a request has that many parts
        method: str,
        path: str,
        status: int,
        body: object = None,
        *,
        id: object = "",  # noqa: A002  # the name in the path
        query: str = "",
        **headers: str,
    ) -> Answer:
        sent = {**manager, **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        target = path.format(id=id) + query
        answer = ask(server.port, target, method, headers=sent, body=None if body is None else data)
        assert answer.status == status, (method, target, answer.text)
        assert_documented(document, method, path, answer)
        came.add((method, path, str(status)))
        return answer

    ada = answers("POST", USERS, 201, {"username": "ada", "email": "ada@example.org"}).json["id"]
    eve = answers("POST", USERS, 201, {"username": "eve", "roles": ["manage_documents"]}).json["id"]
    role = answers("POST", ROLES, 201, {"role": "editor"}).json["id"]
    answers("GET", ROLES, 200)
    tag = answers("GET", USER, 200, id=ada)["ETag"]
    answers("GET", USER, 304, id=ada, If_None_Match=tag)
    answers("GET", "/api/", 200)
    answers("GET", USERS, 200, query="?limit=1")
    answers("GET", AUDIT, 200, query="?limit=1")
    answers("PATCH", USER, 200, {"name": "Ada"}, id=ada)
    answers("PUT", USER, 200, {"username": "ada"}, id=ada)
    answers("POST", f"{USER}/sign-out", 204, id=eve)
    for method, body in (("PUT", {"username": "x"}), ("PATCH", {"name": "x"}), ("DELETE", None)):
        answers(method, USER, 412, body, id=ada, If_Match='"99"')
    account = {"provider": "cas", "subject": "a/b c"}
    query = "?provider=cas&subject=a/b%20c"
    answers("POST", IDENTITIES, 201, account, id=ada)
    answers("POST", IDENTITIES, 200, account, id=ada)
    answers("POST", IDENTITIES, 409, account, id=eve)
    answers("GET", IDENTITIES, 200, id=ada)
    answers("DELETE", IDENTITIES, 404, id=eve, query=query)
    answers("DELETE", IDENTITIES, 204, id=ada, query=query)
    answers("DELETE", IDENTITIES, 422, id=ada, query="?provider=cas")
    answers("GET", IDENTITIES, 422, id=ada, query="?x=1")
    answers("POST", USERS, 409, {"username": "ada"})
    answers("POST", ROLES, 409, {"role": "editor"})
    answers("PUT", USER, 409, {"username": "admin"}, id=ada)
    answers("PATCH", USER, 409, {"disabled": True}, id=1)
    answers("DELETE", USER, 409, id=1)
    manages = next(
        held["id"]
        for held in ask(server.port, f"{USERS}/1", headers=manager).json["roles"]
        if held["role"] == "manage_users"
    )
    answers("DELETE", ROLE, 409, id=manages)
    writes = (
        ("POST", USERS),
        ("POST", ROLES),
        ("PUT", USER),
        ("PATCH", USER),
        ("POST", IDENTITIES),
    )
    for method, path in writes:
        answers(method, path, 400, b"{", id=ada)
        answers(method, path, 415, b"{}", id=ada, Content_Type="text/plain")
        answers(method, path, 422, {"x": 1}, id=ada)
    for path in (USERS, ROLES, AUDIT):
        answers("GET", path, 422, query="?x=1")
    missing = 999
    answers("GET", USER, 404, id=missing)
    answers("PUT", USER, 404, {"username": "x"}, id=missing)
    answers("PATCH", USER, 404, {}, id=missing)
    answers("GET", IDENTITIES, 404, id=missing)
    answers("POST", IDENTITIES, 404, account, id=missing)
    answers("DELETE", IDENTITIES, 404, id=missing, query=query)
    for method, path in (("DELETE", USER), ("POST", f"{USER}/sign-out"), ("DELETE", ROLE)):
        answers(method, path, 404, id=missing)
    for method, path in operations(document):
        if not path.startswith("/api/"):
            continue
        if path != "/api/":
            answers(method, path, 403, id=ada, **nobody)
        if method != "GET":
            asked = ask(server.port, path.format(id=ada), method, headers=jar)
            assert asked.code == "cross_site_request"
            assert_documented(document, method, path, asked)
    answers("DELETE", ROLE, 204, id=role)
    answers("DELETE", USER, 204, id=ada)

    documented = {
        (method, path, status)
        for (method, path), operation in operations(document).items()
        for status in operation["responses"]
        if path.startswith("/api/") and status not in ELSEWHERE
    }
    by_bad_body = {(m, p, s) for m, p, s in documented if s in {"400", "415"}}
    assert documented - by_bad_body - came == set()
    assert came <= documented
