"""The pages: what they say, to whom, and that they need no script and no other site."""

import re

import pytest

from tests.support.client import BROWSER, ask, cookie, sign_in
from tests.support.servers import Server, Start


def test_signed_out_the_home_page_shows_the_ways_in(server: Server) -> None:
    page = ask(server.port, "/", headers=BROWSER)
    assert page.status == 200
    for name in ("admin", "contributor", "manager", "user"):
        assert f'href="/auth/bypass?token={name}&amp;next=%2F"' in page.text


def test_the_ways_in_lead_back_to_where_one_came_from(server: Server) -> None:
    page = ask(server.port, "/auth/login?next=/auth/me", headers=BROWSER).text
    assert 'href="/auth/bypass?token=admin&amp;next=%2Fauth%2Fme"' in page
    assert "evil" not in ask(server.port, "/auth/login?next=//evil", headers=BROWSER).text


def test_signed_in_the_home_page_shows_who_one_is(server: Server) -> None:
    page = ask(server.port, "/", headers={**BROWSER, **cookie(sign_in(server.port))})
    assert "Signed in as <strong>admin</strong>" in page.text
    assert "<li>manage_users</li>" in page.text
    assert re.search(r"in (5 h 59 min|6 h) <", page.text)
    assert '<form method="post" action="/auth/logout">' in page.text
    assert "eyJ" not in page.text


def test_a_bad_cookie_means_signed_out_on_an_open_page(server: Server) -> None:
    for bad in ("jwt=bad", "jwt=a; jwt=b"):
        page = ask(server.port, "/", headers={**BROWSER, "Cookie": bad})
        assert page.status == 200
        assert "<h1>Sign in</h1>" in page.text


def test_signed_in_the_ways_in_say_so(server: Server) -> None:
    page = ask(server.port, "/auth/login", headers=cookie(sign_in(server.port, "user")))
    assert 'You are signed in as <a href="/"><strong>user</strong></a>' in page.text


def test_production_without_a_way_in_says_nothing_of_the_development_sign_in(
    production: Server,
) -> None:
    for path in ("/", "/auth/login"):
        page = ask(production.port, path, headers=BROWSER).text
        assert "No sign-in method is enabled." in page
        assert "bypass" not in page.lower()
        assert "development" not in page.lower()


@pytest.mark.parametrize(("environment", "is_told"), [("development", True), ("test", False)])
def test_only_a_development_server_without_a_way_in_names_the_development_sign_in(
    start: Start, environment: str, *, is_told: bool
) -> None:
    server = start(ENVIRONMENT=environment, BYPASS_AUTH="false")
    page = ask(server.port, "/auth/login", headers=BROWSER).text
    assert ("<code>BYPASS_AUTH=true</code>" in page) is is_told


def test_a_user_without_roles_and_without_bypass_sees_a_line_for_any_token(start: Start) -> None:
    server = start(BYPASS_AUTH="false")
    server.cli("user", "create", "plain")
    token = server.cli("token", "issue", "plain", "--expires-in", "50s").stdout.strip()
    page = ask(server.port, "/", headers=cookie(token)).text
    assert "in less than a minute" in page
    assert "none" in page
    assert f'"Authorization: Bearer $TOKEN" {server.url}/auth/me' in page.replace("&#34;", '"')


def test_over_http_the_page_says_which_browser_drops_the_cookie(start: Start) -> None:
    hint = "Safari keeps no"
    for settings, is_there in (({}, True), ({"COOKIE_SECURE": "false"}, False)):
        page = ask(start(**settings).port, "/auth/login", headers=BROWSER).text
        assert (hint in page) == is_there


def test_without_demo_users_the_page_says_how_to_get_them(start: Start) -> None:
    server = start(JWT_EXPIRES_IN="3d")
    sign_in(server.port)
    page = ask(server.port, "/", headers=cookie(sign_in(server.port))).text
    assert re.search(r"in (2 d 23 h|3 d) <", page)
    server.cli("user", "create", "boss", "--role", "manage_users")
    for name in ("admin", "contributor", "manager", "user"):
        assert server.cli("user", "delete", name, "--yes").returncode == 0
    assert "<code>make seed</code>" in ask(server.port, "/", headers=BROWSER).text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/auth/me", 401, 'href="/auth/login?next=%2Fauth%2Fme"'),
        ("/nothing%22%3E%3Cscript%3E", 404, "Not found"),
        ("/auth/bypass?token=a&token=b", 400, "<p>Send the parameter <code>token</code> exactly"),
        ("/nothing", 404, '<a href="/">Home page</a>'),
        ("/auth/bypass?token=%3Cscript%3E", 400, "Invalid user name"),
        ("/auth/bypass?token=nobody", 401, 'href="/auth/login"'),
    ],
)
def test_a_browser_gets_the_problem_as_a_page(
    server: Server, path: str, status: int, says: str
) -> None:
    page = ask(server.port, path, headers=BROWSER)
    assert page.status == status
    assert says in page.text
    assert "<script" not in page.text
    assert page["X-Request-ID"] in page.text


def test_pages_need_no_script_no_inline_style_and_no_other_site(server: Server) -> None:
    signed_in = cookie(sign_in(server.port))
    for path, headers in (("/", {}), ("/", signed_in), ("/auth/login", {}), ("/none", BROWSER)):
        page = ask(server.port, path, headers={**BROWSER, **headers}).text
        assert "<script" not in page
        assert " style=" not in page
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
        for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
            assert ask(server.port, asset).status == 200


def test_an_asset_is_cached_and_known_by_its_etag(server: Server) -> None:
    first = ask(server.port, "/static/latchkey.css")
    assert first["Content-Type"] == "text/css"
    assert first["Cache-Control"] == "public, max-age=86400"
    headers = {"If-None-Match": first["ETag"]}
    again = ask(server.port, "/static/latchkey.css", headers=headers)
    assert (again.status, again.body) == (304, b"")
