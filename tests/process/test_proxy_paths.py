"""Paths through the proxies: two readings are refused, open is exact, closed is generous."""

import base64

import pytest

from tests.support import http2
from tests.support.proxied import beside, fresh
from tests.support.proxy_site import APP, AUTH, IDENTITY, Application, Deployment

__all__ = ["beside"]

STORES = ("sqlite",)  # no store has a part in this

ANSWER = {**dict.fromkeys(IDENTITY, "-"), "Remote-User": "user"}


@pytest.fixture
def pair(beside: tuple[Deployment, Application]) -> tuple[Deployment, Application]:
    """Return the same, without memories; who is asked lets everybody pass."""
    return fresh(beside, ANSWER)


TWO_READINGS = [
    # `%25` that a second decoding would read.
    *("%2561dmin", "%2541DMIN", "%25%36%31dmin", "%25%2561dmin", "%252561dmin", "a%25%36%34min"),
    *("%25%32%35%36%31dmin", "adm%2569n", "public/%252e%252e/admin", "public/%25%32%65./admin"),
    *("public/..%252fadmin", "public%252f..%252fadmin", "admin%253bx", "admin%2500", "admin%250a"),
    *("admin%2520", "admin%255c..", "%25c0%25afadmin", "%252F%252Fadmin", "x%25%", "x%25%zz"),
    # Dot segments, slashes and backslashes.
    *("public/../admin", "public/./../admin", "public/..", "./admin", "public//admin", "/admin"),
    *("public/%2e%2e/admin", "public/.%2e/admin", "public/%2E./admin", "%2e/admin", "x/%2E"),
    *("public/..%2fadmin", "public%2f..%2fadmin", "%2fadmin", "admin%2fx", "public/..%5cadmin"),
    *("public/..\\admin", "public\\..\\admin", "admin%5cx", "%5cadmin", "public/%5c../admin"),
    # Parameters, fragments, control signs, blanks.
    *("public/..;/admin", "admin;x", "admin;/x", "admin%3bx", "public/..%3B/admin", ";/admin"),
    *("admin#x", "public/#/../admin", "admin%00", "admin%00.css", "admin%0d%0a", "admin%09"),
    "%0aadmin",
    *("admin%20", "%20admin", "admin%20/x", "public/..%20/admin", "admin.%20", "admin%7f"),
    "admin%1f",
    # Bytes that are no UTF-8: long forms of `/`, `.` and `\\`, and what cannot begin a sign.
    *("..%c0%afadmin", "%C0%AEadmin", "%c1%9cadmin", "%e0%80%afadmin", "%e0%80%ae%e0%80%ae"),
    "%E0%9F%BF",
    *("%f0%80%80%afadmin", "%f0%80%80%ae", "%F8%80%80%80%AFadmin", "%fc%80%80%80%80%af"),
    "%ffadmin",
    *("%feadmin", "admin%f5", "public/%f0%8f%bf%bf"),
    # Percent signs that encode nothing.
    *("admin%", "admin%zz", "admin%2", "%u0061dmin", "public/%u002e%u002e/admin", "%%36%31dmin"),
    "%2%35",
]  # fmt: skip


@pytest.mark.parametrize("path", TWO_READINGS)
def test_a_path_with_two_readings_is_refused(
    pair: tuple[Deployment, Application], path: str
) -> None:
    site, other = pair
    for query in ("", "?x=y"):
        assert site.ask(f"/{path}{query}").status == 400
    assert site.ask(f"/{path}", host=AUTH).status == 400
    assert site.application.received == []
    assert other.received == []


@pytest.mark.parametrize("path", TWO_READINGS[:30])
def test_also_by_http_2(pair: tuple[Deployment, Application], path: str) -> None:
    site, other = pair
    authority = f"{APP}:{site.port}"
    headers = [(":method", "GET"), (":scheme", "https"), (":authority", authority)]
    site.send_http_2(http2.request([*headers, (":path", f"/{path}")]))
    assert site.application.received == []
    assert other.received == []


RAW = [
    # Long forms of `.` and `/`, other signs that are read as these, and what is no UTF-8 at all.
    *("public/\xc0\xae\xc0\xae/admin", "public/\xe0\x80\xae\xe0\x80\xae/x", "public/\xc0\xaf../x"),
    *("public/\xf0\x80\x80\xae/x", "public/\xe2\x80\xa4\xe2\x80\xa4/x", "public/a\xff", "adm\xa0"),
    *("public/a\xc3\xa9", "\xc5\xbf", "\xe2\x84\xaa", "public/..\xa0/x", "\x80", "x\x7f"),
    # Blanks and control signs.
    *("public/.. /admin", "public/a b", "public/..\t/admin", "public/a\x01", "public/\x1f"),
]  # fmt: skip


@pytest.mark.parametrize("path", RAW, ids=ascii)
def test_a_path_with_raw_bytes_is_refused_like_its_encoding(
    pair: tuple[Deployment, Application], path: str
) -> None:
    site, other = pair
    before = site.application.requests, other.requests
    for host in (APP, AUTH):
        named = f"Host: {host}:{site.port}\r\nConnection: close\r\n\r\n"
        answer = site.send(f"GET /{path} HTTP/1.1\r\n{named}".encode("latin-1"), patience=5)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), answer
        headers = [(":method", "GET"), (":scheme", "https"), (":authority", f"{host}:{site.port}")]
        site.send_http_2(http2.request([*headers, (":path", f"/{path}")]))
    assert (site.application.requests, other.requests) == before


ONE_READING = [
    *("/x", "/a.b/c..d/.well-known/...", "/100%25", "/100%25/x", "/100%25.x", "/50%25-60%25"),
    "/a%20b",
    *("/%C3%A9/x", "/%e2%82%ac", "/%F0%9F%98%80", "/~x/(1)/:@!$&'*+,=", "/%70ublic"),
    "/x?y=%2e%2e%2f//",
    *("/x?y=%2561&z=;", "/x?/../admin", "/who%3F", "/c%23", "/%ed%95%9c", "/a%2Bb%2Cc%40d"),
    "/x%25g",
]  # fmt: skip


@pytest.mark.parametrize("target", ONE_READING)
def test_a_path_with_one_reading_passes_as_it_is(
    pair: tuple[Deployment, Application], target: str
) -> None:
    site, other = pair
    answer = site.ask(target)
    if site.is_asking:
        assert answer.status == 200
        assert [each.target for each in site.application.received] == [target]
        assert "role=" not in other.received[0].target
    else:
        assert answer.status == 401


OPEN = [
    "/public/",
    "/public/x",
    "/public/x/y.css?v=1",
    "/public/a%20b",
    "/public/100%25",
    "/public/.x",
]


@pytest.mark.parametrize("target", OPEN)
def test_what_is_open_passes_without_a_question(
    pair: tuple[Deployment, Application], target: str
) -> None:
    site, other = pair
    assert site.ask(target).status == 200
    (seen,) = site.application.received
    assert (seen.target, seen.all("Remote-User")) == (target, [])
    assert other.received == []


NOT_OPEN = [
    *("/PUBLIC/x", "/Public/x", "/publiC/x", "/PUBLIC/", "/PUBLIC", "/public", "/publicX"),
    "/publicX/x",
    *("/public-x/y", "/public_/x", "/public.x", "/public.x/y", "/public,/x", "/public:/x"),
    "/public@/x",
    *("/public~/x", "/public%20x", "/public%3f/x", "/public%23/x", "/public%25/x", "/public?/x"),
    "/public?",
    *("/%70ublic/x", "/publi%63/x", "/%50UBLIC/x", "/p%75blic/x", "/public%C2%A0/x", "/x/public/y"),
    *("/xpublic/y", "/.public/x", "/pub/lic/x", "/%EF%BD%90ublic/x", "/publ%C4%B1c/x"),
    "/public%ef%bc%8fx",
    *("/?/public/x", "/x?=/public/", "/:/public/x", "/public..", "/public../x", "/public.../"),
]  # fmt: skip


@pytest.mark.parametrize("target", NOT_OPEN)
def test_nothing_that_resembles_it_is_open(
    pair: tuple[Deployment, Application], target: str
) -> None:
    site, other = pair
    other.answers["/auth/verify"] = 401, {}
    assert site.ask(target).status in {400, 401}
    assert site.application.received == []


FOR_A_ROLE = [
    *("/admin", "/admin/", "/admin/x", "/admin?x", "/admin.json", "/ADMIN", "/Admin/x", "/aDMIN.x"),
    *("/%61dmin", "/adm%69n/x", "/%41DMIN", "/a%64min?x", "/admin%3f", "/admin%3Fx=y"),
    "/admin%23x",
    *("/admin,x", "/admin:x", "/admin@x", "/admin!", "/admin~", "/admin&x", "/admin=x", "/admin'"),
    *("/admin(1)", "/admin*", "/admin+x", "/admin$x", "/admin%25", "/admin%22", "/admin%C2%A0"),
    "/admin%A0",
    *("/admin%3c", "/admin.", "/admin../x", "/admin::$DATA", "/admin%7c", "/admin%60"),
    "/ADMIN%3Fx",
]  # fmt: skip


@pytest.mark.parametrize("target", FOR_A_ROLE)
def test_whatever_an_application_could_read_as_closed_is_closed(
    pair: tuple[Deployment, Application], target: str
) -> None:
    site, other = pair
    other.answers["/auth/verify"] = 403, {}
    if site.is_asking:
        assert site.ask(target).status == 403
        assert [each.target.rpartition("&")[2] for each in other.received] == ["role=manage_users"]
    else:
        assert site.ask(target).status == 401
    assert site.application.received == []


QUESTIONS = [
    "/auth/verify", "/auth/verify/", "/auth/verify?proxy=nginx", "/AUTH/VERIFY", "/auth/Verify",
    "/auth/verif%79", "/%61uth/verify", "/auth/verify.x", "/auth/verify,x", "/auth/verify%3fx",
    "/auth/verify%23", "/auth/verify:", "/oauth2/auth", "/OAuth2/Auth", "/oauth2/auth/x",
    "/metrics",
    "/METRICS", "/metrics/", "/metric%73", "/metrics%3f", "/oauth2%2Fauth", "//auth/verify",
    "/auth//verify",
    "/auth/./verify", "/x/../auth/verify", "/auth/%2576erify", "/auth/verify;x", "/auth\\verify",
]  # fmt: skip


@pytest.mark.parametrize("target", QUESTIONS)
def test_the_question_is_not_for_clients(pair: tuple[Deployment, Application], target: str) -> None:
    site, other = pair
    assert site.ask(target, host=AUTH).status in {400, 404}
    assert other.received == []


@pytest.mark.parametrize(
    "target",
    ["/", "/auth/login?next=/x", "/auth/me", "/auth/verifying", "/metrics-x", "/auth/links/a-_B"],
)
def test_the_rest_of_latchkey_is(pair: tuple[Deployment, Application], target: str) -> None:
    site, other = pair
    assert site.ask(target, host=AUTH).status == 200
    assert [each.target for each in other.received] == [target]


def test_a_websocket_is_closed_the_same_way(pair: tuple[Deployment, Application]) -> None:
    site, other = pair
    other.answers["/auth/verify"] = 401, {}
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    }
    for target in ("/PUBLIC/x", "/%70ublic/x", "/%2561dmin", "/public/..;/admin"):
        assert site.ask(target, headers=upgrade).status in {400, 401}
    assert site.application.received == []
