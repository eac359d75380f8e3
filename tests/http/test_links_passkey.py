"""Passkeys by links: claim, invite, reset and open invitations without a password."""

from typing import Any

import pytest

from tests.support.authenticator import Authenticator
from tests.support.client import BROWSER, Answer, ask, bearer
from tests.support.description import assert_documented
from tests.support.links import call, invitation, link, new_user, use
from tests.support.passkeys import by_passkey, send, session_of
from tests.support.passwords import quick_hashes, session_token
from tests.support.servers import Running, Server, Start
from tests.support.stores import Store

__all__ = ["quick_hashes"]


@pytest.fixture(scope="module")
def site(running: Running, store: Store) -> Server:
    """Return a server with passkeys alone, on which every password is an unknown member."""
    return running.start(store, PASSKEY_AUTH="true", SECOND_FACTOR="required")


def options(server: Server, path: str, **about: str) -> Answer:
    return send(server, f"{path}/passkey/options", about)


def by_link(server: Server, path: str, key: Authenticator, **about: Any) -> Answer:
    """Register a passkey by a link."""
    asked = options(server, path, **{name: about[name] for name in about if name == "username"})
    assert asked.status == 200, asked.text
    return send(server, path, {"credential": key.create(asked.json), **about})


@pytest.mark.parametrize("purpose", ["invite", "reset"])
def test_a_user_gets_a_passkey_by_a_link_and_is_signed_in(site: Server, purpose: str) -> None:
    name = f"ada-{purpose}"
    path = link(site, new_user(site, name), purpose)
    page = ask(site.port, path, headers=BROWSER)
    assert f'data-passkey-link="{path}"' in page.text
    assert 'id="password"' not in page.text
    key = Authenticator(site.url)
    answer = by_link(site, path, key, name="my key")
    assert (answer.json["username"], answer.json["method"]) == (name, "passkey")
    assert ask(site.port, path).code == "link_invalid"
    again = by_passkey(site, key)
    (own,) = ask(site.port, "/auth/account/passkeys", headers=session_of(again)).json
    assert own["name"] == "my key"


def test_an_open_invitation_makes_users_with_passkeys(site: Server) -> None:
    path, _ = invitation(site, roles=["view_documents"], uses=2)
    for name in ("beth", "cleo"):
        answer = by_link(site, path, Authenticator(site.url), username=name)
        assert answer.status == 200, answer.text
        assert [role["role"] for role in answer.json["roles"]] == ["view_documents"]
    assert ask(site.port, path).code == "link_invalid"


def test_a_reset_by_passkey_ends_the_sessions(site: Server) -> None:
    user = new_user(site, "dora")
    token = session_token(by_link(site, link(site, user), Authenticator(site.url)))
    assert by_link(site, link(site, user, "reset"), Authenticator(site.url)).status == 200
    assert ask(site.port, "/auth/me", headers=bearer(token)).code == "token_revoked"


def test_what_is_refused_does_not_use_the_link_up(site: Server) -> None:
    path, key = invitation(site)[0], Authenticator(site.url)
    other = invitation(site)[0]
    asked = options(site, path, username="elsa")
    made = key.create(asked.json)
    rows = [
        (use(site, path, username="elsa"), 422, "validation_error"),
        (send(site, path, {}), 422, "validation_error"),
        (send(site, path, {"credential": made}), 422, "validation_error"),
        (send(site, path, {"credential": {}, "username": "elsa"}), 422, "passkey_invalid"),
        (send(site, path, {"credential": made, "username": "eve"}), 422, "passkey_invalid"),
        (send(site, path, {"credential": made, "username": "admin"}), 409, "username_taken"),
        (send(site, other, {"credential": made, "username": "elsa"}), 422, "passkey_invalid"),
        (send(site, path, {"credential": made, "username": "elsa", "password": "x"}), 422, ""),
        (options(site, path), 422, "validation_error"),
        (options(site, path, username="admin"), 409, "username_taken"),
        (options(site, path, username="a b"), 422, "validation_error"),
        (options(site, "/auth/links/" + "0" * 64, username="eve"), 404, "link_invalid"),
    ]
    document = ask(site.port, "/openapi.json").json
    for answer, status, code in rows:
        assert (answer.status, answer.code) == (status, code or "validation_error"), answer.text
    for answer in (asked, *(row[0] for row in rows[8:])):
        where = "/auth/links/{secret}/passkey/options"
        assert_documented(document, "POST", where, answer)
    for answer, *_ in rows[:8]:
        assert_documented(document, "POST", "/auth/links/{secret}", answer)
    headers = {"Sec-Fetch-Site": "cross-site"}
    for target in (path, f"{path}/passkey/options"):
        assert send(site, target, {"username": "eve"}, headers=headers).status == 403
    assert send(site, path, {"credential": made, "username": "elsa"}).status == 200
    assert send(site, other, {"credential": made, "username": "elsa"}).code == "username_taken"


def test_the_options_exclude_the_passkeys_that_the_user_has(site: Server) -> None:
    user = new_user(site, "fay")
    by_link(site, link(site, user), Authenticator(site.url))
    assert len(options(site, link(site, user)).json["excludeCredentials"]) == 1


def test_with_both_a_link_takes_one_of_them(start: Start, quick_hashes: None) -> None:  # noqa: ARG001  # before the server starts
    server = start(PASSKEY_AUTH="true", PASSWORD_AUTH="true")
    path, _ = invitation(server, uses=2)
    assert by_link(server, path, Authenticator(server.url), username="gwen").status == 200
    assert use(server, path, username="hana").status == 200


def test_with_an_ip_address_there_are_no_links_for_passkeys(start: Start) -> None:
    server = start(PASSKEY_AUTH="true", PUBLIC_URL="http://127.0.0.1:8080")
    assert call(server, "/api/v1/invitations").status == 404
