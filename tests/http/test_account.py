"""The account page: what it shows, to whom, and what the admin page shows of it."""

import pytest

from tests.support.client import BROWSER, Answer, ask, cookie, sign_in
from tests.support.passwords import RIGHT, attempt, give_password, quick_hashes, session_token
from tests.support.servers import Running, Server
from tests.support.stores import Store

__all__ = ["quick_hashes"]


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    """Return a server with passwords and CAS, on which user has a password and an account."""
    server = running.start(
        store, PASSWORD_AUTH="true", CAS_URL="https://cas.example.org", BYPASS_AUTH="true"
    )
    give_password(server, "user")
    for line in (
        ("update", "user", "--name", "Ada <b>Lovelace</b>", "--email", "ada@example.org"),
        ("link", "user", "cas", "ada<i>"),
    ):
        assert server.cli("user", *line).returncode == 0
    return server


def account(server: Server, username: str, query: str = "") -> Answer:
    """Open one's own account."""
    headers = {**BROWSER, **cookie(sign_in(server.port, username))}
    return ask(server.port, f"/account{query}", headers=headers)


def test_it_shows_ones_own_account(site: Server) -> None:
    page = account(site, "user")
    assert page.status == 200
    for text in (
        "<strong>user</strong>",
        "Ada &lt;b&gt;Lovelace&lt;/b&gt;",
        "ada@example.org",
        "<li>view_documents</li>",
        '<a href="/account/password"><strong>Password</strong> <span class="quiet">set</span></a>',
        "<dd>ada&lt;i&gt;</dd>",
        '<form method="post" action="/auth/logout?everywhere=true">',
    ):
        assert text in page.text
    assert "argon2" not in page.text
    assert '<span class="quiet">not set</span>' in account(site, "admin").text


def test_signed_out_it_leads_to_the_sign_in_and_back(site: Server) -> None:
    page = ask(site.port, "/account", headers=BROWSER)
    assert page.status == 401
    assert 'href="/auth/login?next=%2Faccount"' in page.text


def test_the_message_is_one_of_ours(site: Server) -> None:
    assert "The password was saved." in account(site, "user", "?done=password-set").text
    for query in ("?done=evil", "?done=password-set&done=password-set", "?done="):
        page = account(site, "user", query)
        assert page.status == 200
        assert 'role="status"' not in page.text


def test_the_home_page_and_the_admin_page_link_to_it(site: Server) -> None:
    headers = {**BROWSER, **cookie(sign_in(site.port))}
    for path in ("/", "/admin"):
        assert 'href="/account"' in ask(site.port, path, headers=headers).text


def test_the_home_page_names_the_method(site: Server) -> None:
    token = session_token(attempt(site.port, "user", RIGHT))
    page = ask(site.port, "/", headers={**BROWSER, **cookie(token)})
    assert "<dd>password</dd>" in page.text


def test_a_manager_sees_which_ways_a_user_has_and_no_secret(site: Server) -> None:
    headers = {**BROWSER, **cookie(sign_in(site.port))}
    ids = {
        row["username"]: row["id"]
        for row in ask(site.port, "/api/v1/users", headers=cookie(sign_in(site.port))).json
    }
    page = ask(site.port, f"/admin/users/{ids['user']}", headers=headers).text
    assert "<dt>Password</dt><dd>set</dd>" in page
    assert "argon2" not in page
    other = ask(site.port, f"/admin/users/{ids['manager']}", headers=headers).text
    assert "<dt>Password</dt><dd>not set</dd>" in other
