"""Links under attack: what is refused, with which code, and what no refusal uses up."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.client import BROWSER, Answer, ask, bearer, sign_in
from tests.support.description import assert_documented, operations
from tests.support.links import (
    PASSWORD,
    call,
    invitation,
    link,
    new_user,
    path_of,
    use,
    use_form,
)
from tests.support.passwords import attempt, quick_hashes
from tests.support.servers import Running, Server, Start
from tests.support.stores import Store, run_sql

__all__ = ["quick_hashes"]

FORM = "application/x-www-form-urlencoded"
OPENED = "/auth/links/{secret}"


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    return running.start(store, PASSWORD_AUTH="true", CORS_ORIGINS="http://localhost:5173")


@pytest.fixture(scope="module")
def invite(site: Server) -> str:
    """Return a link that no test here may use up."""
    return link(site, new_user(site, "victim"))


@pytest.fixture(scope="module")
def open_link(site: Server) -> str:
    """Return an open invitation that no test here may use up."""
    return invitation(site, uses=1)[0]


@pytest.fixture
def unused(site: Server) -> Iterator[None]:
    """Assert that no link has been used and no password set."""
    query = "SELECT hash, used FROM links ORDER BY id", "SELECT * FROM passwords ORDER BY user_id"
    before = [run_sql(site.database, each) for each in query]
    yield
    assert [run_sql(site.database, each) for each in query] == before


BAD_BODIES: list[tuple[object, int, str]] = [
    ({}, 422, "validation_error"),
    ([], 422, "validation_error"),
    (None, 422, "validation_error"),
    ("secret", 422, "validation_error"),
    ({"password": ""}, 422, "validation_error"),
    ({"password": "too short"}, 422, "validation_error"),
    ({"password": "passwordpassword"}, 422, "validation_error"),
    ({"password": "x" * 257}, 422, "validation_error"),
    ({"password": "x" * 60_000}, 422, "validation_error"),
    ({"password": None}, 422, "validation_error"),
    ({"password": [PASSWORD]}, 422, "validation_error"),
    ({"password": 123456789012345}, 422, "validation_error"),
    ({"password": PASSWORD, "roles": ["manage_users"]}, 422, "validation_error"),
    ({"password": PASSWORD, "purpose": "claim"}, 422, "validation_error"),
    ({"password": PASSWORD, "username": "admin"}, 422, "validation_error"),
    ({"password": PASSWORD, "username": ["victim"]}, 422, "validation_error"),
    (b"", 400, "json_invalid"),
    (b"{", 400, "json_invalid"),
    (b'{"password": "\\ud800 nine grey herons"}', 400, "json_invalid"),
    (b'{"password": "a", "password": "b"}', 400, "json_invalid"),
    (b"\xff", 400, "json_invalid"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_BODIES, ids=lambda value: str(value)[:40])
@pytest.mark.usefixtures("unused")
def test_a_refused_body_does_not_use_the_link_up(
    site: Server, invite: str, body: object, status: int, code: str
) -> None:
    answer = post(site, invite, body)
    assert (answer.status, answer.code) == (status, code)
    assert answer.all("Set-Cookie") == []


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({}, 422, "validation_error"),
        ({"username": ""}, 422, "validation_error"),
        ({"username": None}, 422, "validation_error"),
        ({"username": "a b"}, 422, "validation_error"),
        ({"username": "../admin"}, 422, "validation_error"),
        ({"username": "x" * 65}, 422, "validation_error"),
        ({"username": "ad\u0430"}, 422, "validation_error"),
        ({"username": "admin"}, 409, "username_taken"),
        ({"username": "ADMIN"}, 409, "username_taken"),
        ({"username": "nine-grey-herons", "password": "nine-grey-herons"}, 422, "validation_error"),
        ({"username": "zoe", "roles": ["manage_users"]}, 422, "validation_error"),
        ({"username": "zoe", "id": 1}, 422, "validation_error"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.usefixtures("unused")
def test_a_refused_name_does_not_use_an_invitation_up(
    site: Server, open_link: str, members: dict[str, Any], status: int, code: str
) -> None:
    answer = use(site, open_link, **members)
    assert (answer.status, answer.code) == (status, code)
    assert answer.all("Set-Cookie") == []


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403, "cross_site_request"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "cross_site_request"),
        ({"Origin": "https://evil.example"}, 403, "cross_site_request"),
        ({"Origin": "http://localhost:5173"}, 403, "cross_site_request"),
        ({"Origin": "null"}, 403, "cross_site_request"),
        ({"Content-Type": "text/plain"}, 415, "content_type_unsupported"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415, "content_type_unsupported"),
        ({"Content-Type": f"{FORM}; charset=latin-1"}, 415, "content_type_unsupported"),
        ({"Content-Encoding": "gzip"}, 415, "encoding_unsupported"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("unused")
def test_other_sites_and_other_bodies_use_nothing(
    site: Server, invite: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = use(site, invite, headers)
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.usefixtures("unused")
def test_only_post_uses_a_link(site: Server, invite: str, method: str) -> None:
    answer = ask(site.port, f"{invite}?password={PASSWORD.replace(' ', '+')}", method)
    assert answer.status == (200 if method in {"GET", "HEAD"} else 405)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.upper().replace("/AUTH/LINKS/", "/auth/links/"),
        lambda path: path[:-1],
        lambda path: path + "0",
        lambda path: path + "%00",
        lambda path: path + "%0A",
        lambda path: path + "%20",
        lambda path: path[:-1] + "%F0%9D%9F%8E",  # a mathematical digit
        lambda _path: "/auth/links/%FF%FE",
        lambda _path: "/auth/links/" + "0" * 64,
        lambda _path: "/auth/links/" + "0" * 5000,
        lambda _path: "/auth/links/' OR 1=1 --".replace(" ", "%20"),
        lambda _path: "/auth/links/None",
    ],
)
@pytest.mark.usefixtures("unused")
def test_other_secrets_are_all_the_same(
    site: Server, invite: str, change: Callable[[str], str]
) -> None:
    path = change(invite)
    assert path != invite
    never = "/auth/links/" + "f" * 64
    for method in ("GET", "POST"):
        answer = ask(site.port, path, method)
        assert (answer.status, answer.code) == (404, "link_invalid")
        assert answer.body == ask(site.port, never, method).body


@pytest.mark.parametrize(
    ("name", "method", "body"),
    [
        ("author", "PATCH", {"disabled": True}),
        ("author", "PATCH", {"roles": ["manage_documents"]}),
        ("author", "DELETE", None),
        ("guest", "PATCH", {"disabled": True}),
        ("guest", "DELETE", None),
    ],
    ids=str,
)
def test_a_link_ends_with_what_it_depends_on(
    start: Start, name: str, method: str, body: object
) -> None:
    server = start(PASSWORD_AUTH="true")
    ids = {"author": new_user(server, "author", "manage_users"), "guest": new_user(server, "guest")}
    by = sign_in(server.port, "author")
    made = call(server, f"/api/v1/users/{ids['guest']}/links", "POST", {"purpose": "reset"}, by)
    opened = call(server, "/api/v1/invitations", "POST", {"uses": 9}, by)
    path, invited = path_of(made.json), path_of(opened.json)
    assert ask(server.port, path).status == ask(server.port, invited).status == 200
    assert call(server, f"/api/v1/users/{ids[name]}", method, body).status in {200, 204}
    assert ask(server.port, path).code == use(server, path).code == "link_invalid"
    assert use(server, invited, username="later").status == (404 if name == "author" else 200)


def test_a_link_ends_with_its_time(start: Start) -> None:
    server = start(PASSWORD_AUTH="true")
    path = link(server, new_user(server, "guest"))
    run_sql(server.database, "UPDATE links SET expires_at = 1")
    assert ask(server.port, path).code == use(server, path).code == "link_invalid"


def test_a_form_that_fails_is_shown_again_without_the_password(
    site: Server, open_link: str
) -> None:
    answer = use_form(site, open_link, username="Grace<b>", password="short one")
    assert answer.status == 422
    assert 'value="Grace&lt;b&gt;"' in answer.text
    assert "short one" not in answer.text
    assert 'id="username-fault"' in answer.text
    taken = use_form(site, open_link, username="admin")
    assert taken.status == 409
    assert "already" in taken.text or "another" in taken.text.lower()
    short = use_form(site, open_link, username="grace", password="short one")
    assert 'id="password-fault"' in short.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"purpose": "claim"},
        {"purpose": "open"},
        {"purpose": None},
        {"purpose": ["invite"]},
        {"purpose": "invite", "expires_in": "365d"},
    ],
    ids=str,
)
def test_other_purposes_are_refused(site: Server, body: dict[str, object]) -> None:
    answer = call(site, "/api/v1/users/1/links", "POST", body)
    assert (answer.status, answer.code) == (422, "validation_error")


@pytest.mark.parametrize(
    "members",
    [
        {"uses": 0},
        {"uses": -1},
        {"uses": 1001},
        {"uses": 1.0},
        {"uses": True},
        {"uses": None},
        {"uses": "1e3"},
        {"uses": "\u0661"},
        {"expires_in": 0},
        {"expires_in": "0s"},
        {"expires_in": "366d"},
        {"expires_in": "soon"},
        {"expires_in": True},
        {"expires_in": None},
        {"expires_in": 10**30},
        {"roles": ["no_such_role"]},
        {"roles": "view_documents"},
        {"roles": [1]},
        {"purpose": "claim"},
        {"user_id": 1},
    ],
    ids=str,
)
def test_other_invitations_are_refused(site: Server, members: dict[str, object]) -> None:
    answer = call(site, "/api/v1/invitations", "POST", members)
    assert (answer.status, answer.code) == (422, "validation_error")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/users/1/links"),
        ("GET", "/api/v1/invitations"),
        ("POST", "/api/v1/invitations"),
        ("DELETE", "/api/v1/invitations/1"),
    ],
)
def test_only_managers_make_links(site: Server, method: str, path: str) -> None:
    body = {"purpose": "reset"} if path.endswith("links") else {}
    sent = body if method == "POST" else None
    assert call(site, path, method, sent, sign_in(site.port, "user")).code == "role_missing"
    assert ask(site.port, path, method).code == "credentials_missing"


def test_without_passwords_there_are_no_links(start: Start) -> None:
    server = start()
    for method, path in (
        ("GET", "/auth/links/" + "0" * 64),
        ("POST", "/auth/links/" + "0" * 64),
        ("GET", "/api/v1/invitations"),
        ("POST", "/api/v1/users/1/links"),
    ):
        answer = ask(server.port, path, method, headers=bearer(sign_in(server.port)))
        assert (answer.status, answer.code) == (404, "not_found"), path


def test_each_documented_answer_comes_and_each_that_comes_is_documented(start: Start) -> None:
    site = start(PASSWORD_AUTH="true")
    document = ask(site.port, "/openapi.json").json
    user, disabled = new_user(site, "ann"), new_user(site, "dis")
    call(site, f"/api/v1/users/{disabled}", "PATCH", {"disabled": True})
    links, one = "/api/v1/users/{id}/links", "/api/v1/invitations/{id}"
    many = "/api/v1/invitations"
    came: set[tuple[str, str, str]] = set()

    def check(method: str, path: str, answer: Answer) -> Answer:
        assert_documented(document, method, path, answer)
        came.add((method, path, str(answer.status)))
        return answer

    def api(method: str, path: str, number: object = "", body: object = None) -> Answer:
        return check(method, path, call(site, path.format(id=number), method, body))

    for number, body in ((user, {"purpose": "invite"}), (user, {}), (99, {"purpose": "reset"})):
        api("POST", links, number, body)
    api("POST", links, disabled, {"purpose": "invite"})
    api("POST", many, "", {"uses": 0})
    made = api("POST", many, "", {"uses": 5, "roles": ["view_documents"]}).json
    api("GET", many)
    check("GET", many, call(site, f"{many}?x=1"))
    path = "/" + made["url"].split("/", 3)[3]
    check("GET", OPENED, ask(site.port, path, headers=BROWSER))
    check("POST", OPENED, use(site, path, username="bea"))
    check("POST", OPENED, use(site, path, username="bea"))
    check("POST", OPENED, use(site, path))
    check("POST", OPENED, use_form(site, path, username="cee"))
    check("POST", OPENED, use(site, link(site, user, "reset")))
    check("POST", OPENED, use_form(site, link(site, user, "reset")))
    check("POST", OPENED, use(site, path, {"Sec-Fetch-Site": "cross-site"}))
    check("POST", OPENED, use(site, path, {"Content-Type": "text/plain"}))
    check("POST", OPENED, post(site, path, b"{"))
    check("POST", links, ask(site.port, links.format(id=1), "POST", headers=bearer("x")))
    for _ in range(2):
        api("DELETE", one, made["id"])
    for method in ("GET", "POST"):
        check(method, OPENED, ask(site.port, path, method))
    elsewhere = {"400", "401", "403", "408", "413", "414", "415", "417", "431", "500", "503"}
    described = operations(document)
    places = {OPENED, links, many, one}
    for method, place in ((m, p) for m, p in described if p in places):
        documented = described[method, place]["responses"].keys()
        answered = {status for m, p, status in came if (m, p) == (method, place)}
        assert documented - answered <= elsewhere, (method, place, documented - answered)


def test_too_many_roles_for_a_cookie_do_not_use_an_invitation_up(start: Start) -> None:
    server = start(PASSWORD_AUTH="true")
    roles = [
        f"a_role_with_a_long_name_of_sixty_characters_number_{number:04}" for number in range(80)
    ]
    for role in roles:
        assert call(server, "/api/v1/roles", "POST", {"role": role}).status == 201
    path, members = invitation(server, roles=roles)
    answer = use(server, path, username="heavy")
    assert (answer.status, answer.code) == (403, "token_too_large")
    (listed,) = call(server, "/api/v1/invitations").json
    assert (listed["id"], listed["used"]) == (members["id"], 0)
    assert attempt(server.port, "heavy", PASSWORD).status == 401


def post(server: Server, path: str, body: object) -> Answer:
    """Send any body as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(server.port, path, "POST", headers={"Content-Type": "application/json"}, body=data)


@pytest.mark.parametrize(
    "body",
    [b"password=%FF", b"password", b"password=a&password=b", urlencode({"x": "y"}).encode()],
    ids=str,
)
@pytest.mark.usefixtures("unused")
def test_broken_forms_use_nothing(site: Server, invite: str, body: bytes) -> None:
    answer = ask(site.port, invite, "POST", headers={"Content-Type": FORM}, body=body)
    assert answer.status in {400, 422}
