"""The description of the admin page, both ways: what it documents is answered, and the reverse."""

from collections.abc import Mapping
from urllib.parse import urlencode

from tests.http.test_openapi_api import ELSEWHERE
from tests.support.client import BROWSER, Answer, ask, bearer, cookie, sign_in
from tests.support.description import assert_documented, operations
from tests.support.servers import Start

LIST, NEW, ROLES, AUDIT = "/admin", "/admin/users/new", "/admin/roles", "/admin/audit"
USER = "/admin/users/{id}"
ACCOUNTS, UNLINK = f"{USER}/accounts", f"{USER}/accounts/unlink"
DELETE, SIGN_OUT, DELETE_ROLE = f"{USER}/delete", f"{USER}/sign-out", f"{ROLES}/{{id}}/delete"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_each_documented_answer_of_the_admin_page_comes_and_each_that_comes_is_documented(  # noqa: PLR0915  # one journey
    start: Start,
) -> None:
    server = start()
    document = ask(server.port, "/openapi.json").json
    manager, nobody = bearer(sign_in(server.port)), bearer(sign_in(server.port, "user"))
    jar = {**cookie(sign_in(server.port)), "Sec-Fetch-Site": "cross-site"}
    came: set[tuple[str, str, str]] = set()

    def answers(
        path: str,
        status: int,
        fields: Mapping[str, object] | bytes | None = None,
        **changes: object,
    ) -> Answer:
        """Ask twice, as a browser and as a program; the second time it may be too late."""
        target = path.format(id=changes.get("id", "")) + str(changes.get("query", ""))
        method = "GET" if fields is None else "POST"
        body = urlencode(fields, doseq=True).encode() if isinstance(fields, Mapping) else fields
        headers = changes.get("headers", manager)
        assert isinstance(headers, dict)
        sent = {**FORM, **headers} if fields is not None else headers
        for accept in (BROWSER, {"Accept": "*/*"}):
            answer = ask(server.port, target, method, headers={**accept, **sent}, body=body)
            assert answer.status == status, (method, target, answer.text)
            assert_documented(document, method, path, answer)
            came.add((method, path, str(status)))
            if status == 303:
                break
        return answer

    made = answers(NEW, 303, {"username": "ada", "roles": "add_documents"})
    ada = made["Location"].partition("?")[0].rpartition("/")[2]
    answers(ROLES, 303, {"role": "editor"})
    found = {
        row["role"]: row["id"] for row in ask(server.port, "/api/v1/roles", headers=manager).json
    }
    for path in (LIST, NEW, ROLES, AUDIT):
        answers(path, 200)
        answers(path, 422, query="?x=1")
    for path, an_id in (
        (USER, ada),
        (ACCOUNTS, ada),
        (DELETE, ada),
        (DELETE_ROLE, found["editor"]),
    ):
        answers(path, 200, id=an_id)
        answers(path, 422, id=an_id, query="?x=1")
        answers(path, 404, id=999)
    answers(LIST, 200, query="?q=&role=&disabled=&sort=-id&limit=1&done=user-deleted")
    answers(AUDIT, 200, query="?user=&action=&limit=1")
    answers(USER, 303, {"version": 1, "username": "ada", "name": "Ada"}, id=ada)
    answers(SIGN_OUT, 303, {}, id=ada)
    for path in (USER, DELETE):
        fields = {"version": 1} | ({"username": "ada"} if path == USER else {})
        answers(path, 412, fields, id=ada)
        answers(path, 404, fields, id=999)
    answers(SIGN_OUT, 404, {}, id=999)
    account = {"provider": "cas", "subject": "ada"}
    answers(ACCOUNTS, 303, account, id=ada)
    answers(ACCOUNTS, 409, account, id=1)
    answers(ACCOUNTS, 404, account, id=999)
    answers(UNLINK, 303, account, id=ada)
    answers(UNLINK, 404, account, id=ada)
    answers(DELETE_ROLE, 404, {}, id=999)
    answers(NEW, 409, {"username": "ada"})
    answers(ROLES, 409, {"role": "editor"})
    answers(USER, 409, {"version": 1, "username": "ada"}, id=1)
    answers(DELETE, 409, {"version": 1}, id=1)
    answers(DELETE_ROLE, 409, {}, id=found["manage_users"])
    for method, path in operations(document):
        if not path.startswith("/admin"):
            continue
        an_id = found["editor"] if path == DELETE_ROLE else ada
        if method == "GET":
            answers(path, 403, headers=nobody, id=an_id)
            continue
        answers(path, 403, {}, headers=nobody, id=an_id)
        answers(path, 403, {}, headers=jar, id=an_id)
        answers(path, 400, b"x", id=an_id)
        answers(path, 415, b"x=1", headers={**manager, "Content-Type": "text/plain"}, id=an_id)
        answers(path, 422, {"x": "1"}, id=an_id)
    answers(DELETE, 303, {"version": 3}, id=ada)
    answers(DELETE_ROLE, 303, {}, id=found["editor"])

    documented = {
        (method, path, status)
        for (method, path), operation in operations(document).items()
        for status in operation["responses"]
        if path.startswith("/admin") and status not in ELSEWHERE
    }
    by_bad_body = {key for key in documented if key[0] == "GET" and key[2] in {"400", "415"}}
    assert documented - by_bad_body - came == set()
    assert came <= documented
