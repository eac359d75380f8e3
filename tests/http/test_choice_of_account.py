"""The choice of an account remains on every way from a refusal to the provider."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.support.cas import back, begin, success
from tests.support.cas_sign_in import provider, who
from tests.support.client import BROWSER, Answer, ask, cookie
from tests.support.evil import SUBJECT, Evil
from tests.support.evil import begin as begin_openid
from tests.support.forwarded import DIALECTS, verify
from tests.support.openid import link
from tests.support.openid_sign_in import evil, quiet, session_of, settings_for, sign_in
from tests.support.servers import Server, Start
from tests.support.sso import Scripted

__all__ = ["evil", "provider", "quiet"]

STORES = ("sqlite",)  # no store has a part in this

PERSON = {**BROWSER, "Sec-Fetch-Mode": "navigate"}
APP = "https://app.example.org"
MODES = ("several", "redirect")


def links(answer: Answer) -> dict[str, str]:
    found = re.findall(r'<a[^>]* href="([^"]*)"[^>]*>([^<]+)</a>', answer.text)
    return {text: address.replace("&amp;", "&") for address, text in found}


def query(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def followed(server: Server, address: str, **headers: str) -> Answer:
    """Open a link of ours, on whichever host it names."""
    parts = urlsplit(address)
    return ask(server.port, f"{parts.path}?{parts.query}", headers={**PERSON, **headers})


@pytest.fixture(scope="module")
def both(start: Start, evil: Evil, provider: Scripted) -> Server:
    """Return a server with two ways to sign in, for `user` only."""
    made = start(
        **settings_for(evil),
        CAS_URL=provider.url,
        ALLOWED_REDIRECTS=APP,
        TRUSTED_PROXIES="127.0.0.1/32",
        BYPASS_AUTH="false",
    )
    link(made, "user", SUBJECT)
    return made


@pytest.fixture(scope="module")
def redirecting(start: Start, evil: Evil) -> Server:
    """Return a server whose sign-in page redirects to its only provider."""
    made = start(
        **settings_for(evil),
        SIGN_IN_REDIRECT="true",
        ALLOWED_REDIRECTS=APP,
        TRUSTED_PROXIES="127.0.0.1/32",
        BYPASS_AUTH="false",
    )
    link(made, "user", SUBJECT)
    return made


@pytest.fixture(params=MODES)
def server(request: pytest.FixtureRequest, both: Server, redirecting: Server) -> Server:
    return {"several": both, "redirect": redirecting}[request.param]


def refusals(server: Server, session: dict[str, str]) -> dict[str, str]:
    """Return the links to another account of our own page and of the page behind each proxy."""
    own = ask(server.port, "/admin", headers={**PERSON, **session})
    pages = {"/admin": own}
    for proxy, headers in DIALECTS.items():
        asked = {**headers, **PERSON, **session}
        pages[proxy] = verify(server, f"?proxy={proxy}&role=manage_users", **asked)
    assert {page.status for page in pages.values()} == {403}
    return {name: links(page)["Use another account"] for name, page in pages.items()}


def test_the_way_from_a_missing_role_leads_to_the_choice_of_an_account(
    server: Server, evil: Evil
) -> None:
    session = cookie(session_of(sign_in(server, evil)))
    for name, address in refusals(server, session).items():
        (location,) = query(address)["next"]
        assert location.startswith((APP, "/admin")), name
        page = followed(server, address, **session)
        assert page.status == 200
        assert "You are signed in as" in page.text
        onward = links(page)["Sign in with OpenID Connect"]
        assert query(onward)["next"] == [location]
        asked = query(followed(server, onward, **session)["Location"])
        assert asked["prompt"] == ["select_account"], name


def test_the_choice_remains_where_the_session_has_ended_meanwhile(
    both: Server, redirecting: Server
) -> None:
    path = "/auth/login?next=%2Fadmin&prompt=select_account"
    expected = "/auth/oidc?next=%2Fadmin&prompt=select_account"
    assert links(ask(both.port, path))["Sign in with OpenID Connect"] == expected
    answer = ask(redirecting.port, path)
    assert (answer.status, answer["Location"]) == (302, expected)


def test_the_choice_remains_on_the_page_that_looks_for_the_cookie(server: Server) -> None:
    """A link on another site: the browser withholds the cookie, and the page goes on by itself."""
    path = "/auth/login?next=%2Fadmin&prompt=select_account"
    page = ask(server.port, path, headers={**PERSON, "Sec-Fetch-Site": "cross-site"})
    (address,) = re.findall(r'content="0; url=([^"]*)"', page.text)
    asked = query(address.replace("&amp;", "&"))
    assert asked == {"next": ["/admin"], "landed": ["1"], "prompt": ["select_account"]}


def test_signed_in_people_get_the_page_and_not_the_same_refusal(server: Server, evil: Evil) -> None:
    session = cookie(session_of(sign_in(server, evil)))
    path = "/auth/login?next=%2Fadmin&landed=1"
    assert ask(server.port, path, headers=session)["Location"] == "/admin"
    page = ask(server.port, f"{path}&prompt=select_account", headers=session)
    assert "prompt=select_account" in links(page)["Sign in with OpenID Connect"]


@pytest.mark.parametrize("path", ["/auth/login", "/auth/login?next=%2Fadmin"])
def test_every_way_on_the_page_of_a_signed_in_person_has_the_choice(
    both: Server, evil: Evil, path: str
) -> None:
    session = cookie(session_of(sign_in(both, evil)))
    found = links(ask(both.port, path, headers=session))
    assert query(found["Sign in with OpenID Connect"])["prompt"] == ["select_account"]
    assert query(found["Sign in with CAS"])["prompt"] == ["select_account"]
    strangers = links(ask(both.port, path))
    for name in ("Sign in with OpenID Connect", "Sign in with CAS"):
        assert query(strangers[name]).keys() == {"next"}


@pytest.mark.parametrize(
    "more", ["prompt=none", "prompt=login&prompt=select_account", "prompt=", "renew=true"]
)
def test_other_values_choose_nothing(both: Server, redirecting: Server, more: str) -> None:
    found = links(ask(both.port, f"/auth/login?next=%2Fx&{more}"))
    assert found["Sign in with OpenID Connect"] == "/auth/oidc?next=%2Fx"
    assert found["Sign in with CAS"] == "/auth/cas?next=%2Fx"
    answer = ask(redirecting.port, f"/auth/login?next=%2Fx&{more}")
    assert answer["Location"] == "/auth/oidc?next=%2Fx"


# --- CAS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "name"),
    [({}, "stranger"), ({"PROVISION_USERS": "true"}, "admin"), ({"PROVISION_USERS": "true"}, "?")],
)
def test_after_a_refusal_of_the_account_cas_does_not_return_it_at_once(
    start: Start, provider: Scripted, settings: dict[str, str], name: str
) -> None:
    server = start(CAS_URL=provider.url, **settings)
    provider.script = lambda _: success(name)
    try:
        page = back(server, begin(server, "?next=/deep"), "ST-x", **BROWSER)
    finally:
        provider.script = who
    again = links(page)["Try again"]
    assert again == "/auth/cas?next=%2Fdeep&prompt=select_account"
    assert query(ask(server.port, again)["Location"])["renew"] == ["true"]


# --- The choice remains in what follows ----------------------------------------------------------


def test_after_another_failure_the_choice_remains(both: Server) -> None:
    for prompt in ("select_account", "login"):
        page = back(both, begin(both, f"?next=/deep&prompt={prompt}"), "-", **BROWSER)
        assert "ticket_invalid" in page.text
        assert links(page)["Try again"] == f"/auth/cas?next=%2Fdeep&prompt={prompt}"
        attempt = begin_openid(both.port, f"/auth/oidc?next=/deep&prompt={prompt}")
        page = attempt.come_back(attempt.good(code="", error="access_denied"), **BROWSER)
        assert links(page)["Try again"] == f"/auth/oidc?next=%2Fdeep&prompt={prompt}"


def test_an_expired_page_of_the_provider_starts_again_with_the_choice(both: Server) -> None:
    attempt = begin_openid(both.port, "/auth/oidc?next=/deep&prompt=select_account")
    expired = {"error": "temporarily_unavailable", "error_description": "authentication_expired"}
    answer = attempt.come_back(attempt.good(code="", **expired))
    assert query(answer["Location"])["prompt"] == ["select_account"]


def test_an_unreachable_provider_keeps_the_choice(start: Start) -> None:
    server = start(OIDC_ISSUER="http://localhost:1", OIDC_CLIENT_ID="x", OIDC_CLIENT_SECRET="y")
    path = f"/auth/oidc?{urlencode({'next': '/deep', 'prompt': 'select_account'})}"
    page = ask(server.port, path, headers=BROWSER)
    assert page.status == 503
    assert links(page)["Try again"] == path


def test_a_choice_without_the_name_of_the_provider_remains(start: Start, evil: Evil) -> None:
    named = {
        name.replace("OIDC_", "OIDC_CAMPUS_"): value for name, value in settings_for(evil).items()
    }
    server = start(OIDC_PROVIDERS="campus", **named)
    answer = ask(server.port, "/auth/oidc?next=/deep&prompt=login")
    assert answer["Location"] == "/auth/login?next=%2Fdeep&prompt=select_account"
    (address,) = (
        link
        for name, link in links(followed(server, answer["Location"])).items()
        if name.startswith("Sign in with")
    )
    assert address == "/auth/oidc/campus?next=%2Fdeep&prompt=select_account"
