"""A provider's name that comes to mean another provider: its accounts may be other people's."""

import json
from collections.abc import Iterator

import pytest

from service.db import Database
from service.providers import issuers
from service.providers.issuers import IssuerChange
from tests.support import cas, openid, sso
from tests.support.client import Answer, ask, bearer, cookie
from tests.support.evil import CLIENT_ID, CLIENT_SECRET, SUBJECT, Evil, begin, key, running
from tests.support.openid_sign_in import session_of
from tests.support.servers import Server, Start
from tests.support.stores import run_sql
from tests.unit.test_identities import link

A, B = "https://a.example.org", "https://b.example.org"


@pytest.fixture(scope="module")
def providers() -> Iterator[tuple[Evil, Evil]]:
    """Yield two OpenID providers with an account of the same subject."""
    with running(key("a")) as first, running(key("b")) as second:
        yield first, second


def settings_for(evil: Evil, **changes: str) -> dict[str, str]:
    client = {"OIDC_CLIENT_ID": CLIENT_ID, "OIDC_CLIENT_SECRET": CLIENT_SECRET}
    return {"OIDC_ISSUER": evil.url, **client, **changes}


def come(server: Server, evil: Evil) -> Answer:
    """Sign in at a provider, and return the answer to the callback."""
    attempt = begin(server.port)
    evil.answers(evil.keys[0].sign(evil.claims(attempt)))
    return attempt.come_back(attempt.good())


def check(server: Server) -> str:
    """Return what `config check` warns of issuers."""
    done = server.cli("config", "check")
    assert done.returncode == 0
    return "".join(line for line in done.stderr.splitlines() if "when accounts were linked" in line)


def test_the_same_subject_at_another_issuer_is_not_the_same_person(
    start: Start, providers: tuple[Evil, Evil]
) -> None:
    first, second = providers
    server = start(**settings_for(first))
    openid.link(server, "manager", SUBJECT)
    assert come(server, first).status == 302
    assert check(server) == ""
    other = start(beside=server, **settings_for(second))
    said = f"was {first.url} when accounts were linked, and is {second.url} now"
    assert said in other.log(until="issuer_changed")
    answer = come(other, second)
    assert (answer.status, answer.json["code"]) == (403, "account_not_allowed")
    assert "administrator has to confirm" in answer.json["detail"]
    assert not any(line.startswith("jwt=") for line in answer.all("Set-Cookie"))
    assert said in check(other)
    assert f"run: {issuers.ACCEPT} oidc." in check(other)
    assert come(server, first).status == 302


def test_until_the_operator_says_that_it_is_the_same_provider(
    start: Start, providers: tuple[Evil, Evil]
) -> None:
    first, second = providers
    server = start(**settings_for(first))
    openid.link(server, "manager", SUBJECT)
    other = start(beside=server, **settings_for(second))
    stopped = other.cli("config", "accept-issuer", "oidc")
    assert stopped.returncode == 1
    assert f"belong to the same person at {second.url}?" in stopped.stdout
    assert come(other, second).status == 403
    done = json.loads(other.cli("config", "accept-issuer", "oidc", "--yes", "--json").stdout)
    assert done == {
        "action": "issuer_accept",
        "changed": True,
        "provider": "oidc",
        "issuer": second.url,
    }
    assert come(other, second).status == 302
    assert check(other) == ""
    assert come(server, first).status == 403
    again = json.loads(other.cli("config", "accept-issuer", "oidc", "--yes", "--json").stdout)
    assert not again["changed"]
    unknown = other.cli("config", "accept-issuer", "campus", "--yes")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "The provider campus is not enabled. Enabled: oidc." in unknown.stderr


def test_a_provider_without_accounts_may_change(start: Start, providers: tuple[Evil, Evil]) -> None:
    first, second = providers
    server = start(**settings_for(first))
    other = start(beside=server, **settings_for(second))
    assert "issuer_changed" not in other.log(until="listening")
    openid.link(other, "manager", SUBJECT)
    assert come(other, second).status == 302


def test_in_development_addresses_come_and_go(start: Start, providers: tuple[Evil, Evil]) -> None:
    first, second = providers
    server = start(**settings_for(first))
    openid.link(server, "manager", SUBJECT)
    other = start(beside=server, **settings_for(second, ENVIRONMENT="development"))
    assert come(other, second).status == 302


def test_another_cas_server_is_another_provider(start: Start) -> None:
    with sso.scripted(lambda _: cas.success("ada")) as first, sso.scripted(first.script) as second:
        server = start(CAS_URL=first.url)
        openid.link(server, "manager", "ada", provider="cas")
        assert cas.sign_in(server).status == 302
        other = start(beside=server, CAS_URL=second.url)
        answer = cas.back(other, cas.begin(other))
        assert (answer.status, answer.json["code"]) == (403, "account_not_allowed")
        assert other.cli("config", "accept-issuer", "cas", "--yes").returncode == 0
        assert cas.sign_in(other).status == 302


def test_an_upgrade_notes_what_the_settings_say(start: Start, providers: tuple[Evil, Evil]) -> None:
    first, second = providers
    server = start()
    openid.link(server, "manager", SUBJECT)
    assert run_sql(server.database, "SELECT provider FROM provider_issuers") == []
    after = start(beside=server, **settings_for(first))
    assert come(after, first).status == 302
    assert come(start(beside=server, **settings_for(second)), second).status == 403


async def test_only_what_has_changed_is_noted(database: Database) -> None:
    assert await issuers.note(database, {"oidc": A, "cas": A}) == []
    assert await issuers.note(database, {"oidc": A, "cas": B}) == []  # nobody is linked
    await link(database, "user", "ada")
    change = IssuerChange("cas", B, A)
    assert await issuers.note(database, {"cas": A, "oidc": B, "new": B}) == [change]
    assert await issuers.changes(database, {"cas": A, "oidc": B, "new": B}) == [change]
    assert await issuers.changes(database, {"unknown": A}) == []
    async with database.transaction() as tx:
        await issuers.accept(tx, "cas", A)
    assert await issuers.changes(database, {"cas": A}) == []
    assert await issuers.note(database, {"cas": B}, accept_all=True) == []


def test_sessions_of_the_issuer_before_are_no_business_of_the_new_one(
    start: Start, providers: tuple[Evil, Evil]
) -> None:
    """The new provider gets no ID token of the old one, and ends no session of it."""
    first, second = providers
    server = start(**settings_for(first))
    openid.link(server, "manager", SUBJECT)
    token = session_of(come(server, first))
    other = start(beside=server, **settings_for(second, PUBLIC_URL=server.url))
    body = f"logout_token={second.logout_token(sub=SUBJECT, sid=None)}".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    told = ask(other.port, "/auth/oidc/logout", "POST", headers=form, body=body)
    assert (told.status, told.code) == (400, "logout_token_invalid")
    assert ask(other.port, "/auth/me", headers=bearer(token)).status == 200
    left = ask(other.port, "/auth/logout", "POST", headers=cookie(token))
    assert (left.status, left["Location"]) == (302, "/")
    assert ask(other.port, "/auth/me", headers=bearer(token)).status == 401
