"""Another account: a signed-in user who signs in again can choose the account at the provider."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.support import cas, openid, sso
from tests.support.client import BROWSER, ask, cookie
from tests.support.evil import SUBJECT, Evil
from tests.support.openid_sign_in import evil, quiet, session_of, settings_for, sign_in
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet"]

STORES = ("sqlite",)  # no store has a part in this


@pytest.fixture(scope="module")
def server(start: Start, evil: Evil) -> Server:
    made = start(**settings_for(evil, CAS_URL="https://cas.example.org/cas"))
    openid.link(made, "user", SUBJECT)
    return made


def ways(server: Server, path: str, token: str | None) -> list[str]:
    """Return the links of the sign-in page to providers."""
    headers = BROWSER if token is None else {**BROWSER, **cookie(token)}
    page = ask(server.port, path, headers=headers).text
    found = re.findall(r'href="(/auth/(?:oidc|cas)[^"]*)"', page)
    return [link.replace("&amp;", "&") for link in found]


def test_who_is_signed_in_can_choose_another_account(server: Server, evil: Evil) -> None:
    token = session_of(sign_in(server, evil))
    denied = ask(server.port, "/admin", headers={**BROWSER, **cookie(token)})
    assert denied.status == 403
    (link,) = re.findall(r'href="([^"]*)">Use another account', denied.text)
    oidc, at_cas = sorted(ways(server, link, token), reverse=True)
    for way, prompts in ((oidc, {"prompt": ["select_account"]}), (at_cas, {"renew": ["true"]})):
        assert parse_qs(urlsplit(way).query)["next"] == ["/admin"]
        query = parse_qs(urlsplit(ask(server.port, way)["Location"]).query)
        assert {name: query[name] for name in prompts} == prompts


def test_who_is_signed_out_is_not_asked_to_choose(server: Server) -> None:
    for path in ("/", "/auth/login", "/auth/login?next=/admin"):
        for way in ways(server, path, None):
            query = parse_qs(urlsplit(ask(server.port, way)["Location"]).query)
            assert not {"prompt", "renew"} & query.keys()


def test_the_only_provider_is_not_a_circle_for_who_is_signed_in(start: Start, evil: Evil) -> None:
    server = start(**settings_for(evil, BYPASS_AUTH="false", SIGN_IN_REDIRECT="true"))
    openid.link(server, "user", SUBJECT)
    token = session_of(sign_in(server, evil))
    (way,) = ways(server, "/auth/login?next=/admin", token)
    assert parse_qs(urlsplit(way).query)["prompt"] == ["select_account"]


@pytest.mark.parametrize(
    ("query", "renews"),
    [
        ([("prompt", "select_account")], True),
        ([("prompt", "login")], True),
        ([("prompt", "login"), ("gateway", "true")], True),
        ([("prompt", "none")], False),
        ([("prompt", "")], False),
        ([("prompt", "login"), ("prompt", "login")], False),
    ],
    ids=str,
)
def test_a_prompt_renews_at_cas(
    server: Server, query: list[tuple[str, str]], *, renews: bool
) -> None:
    to = ask(server.port, f"/auth/cas?{urlencode(query)}")["Location"]
    asked = parse_qs(urlsplit(to).query)
    assert asked.get("renew") == (["true"] if renews else None)
    assert not (renews and "gateway" in asked)


def test_after_an_account_that_is_not_linked_cas_asks_again(start: Start) -> None:
    with sso.scripted(lambda _: cas.success("stranger")) as provider:
        server = start(CAS_URL=provider.url)
        page = cas.back(server, cas.begin(server, "?next=/docs"), **cas.PAGE)
        assert page.status == 403
        (link,) = re.findall(r'href="([^"]*)">Try again', page.text)
        assert link == "/auth/cas?next=%2Fdocs&amp;prompt=select_account"
        again = cas.begin(server, link.partition("/auth/cas")[2].replace("&amp;", "&"))
        provider.script = lambda _: cas.success("another")
        assert cas.back(server, again).code == "identity_unknown"
        assert "renew" not in provider.asked[-1].query
