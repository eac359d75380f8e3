"""Sign-in by CAS over HTTP: there and back, and whose account it is."""

import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.support import cas
from tests.support.cas import (
    PAGE,
    TICKET,
    back,
    begin,
    failure,
    fresh,
    jwt,
    log_out,
    logout_request,
    success,
)
from tests.support.cas_sign_in import link, provider, server, who
from tests.support.client import Answer, ask, bearer
from tests.support.description import assert_documented, operations
from tests.support.servers import Server, Start
from tests.support.sso import Asked, Scripted

__all__ = ["provider", "server"]


@pytest.fixture(scope="module")
def trusting(start: Start, provider: Scripted) -> Server:
    """Return a server for which the CAS name is the user name, with two other settings."""
    return start(
        CAS_URL=provider.url,
        CAS_TRUST_USERNAMES="true",
        CAS_VERSION="2.0",
        CAS_RENEW="true",
        CAS_SERVICE_URL="https://login.example.org",
    )


def me(server: Server, answer: Answer) -> dict[str, object]:
    """Return who was signed in."""
    found: dict[str, object] = ask(server.port, "/auth/me", headers=bearer(str(jwt(answer)))).json
    return found


def test_there_and_back(server: Server, provider: Scripted) -> None:
    provider.asked.clear()
    link(server, "user", "ada")
    attempt = begin(server, "?next=/auth/me%3Fa=1")
    assert attempt.to == f"{provider.url}/cas/login?service={quote(attempt.service, safe='')}"
    assert attempt.service == f"{server.url}/auth/cas?attempt={attempt.id}"
    answer = back(server, attempt, "ST-ada")
    assert (answer.status, answer["Location"]) == (302, "/auth/me?a=1")
    assert me(server, answer) | {"expires_at": 0, "roles": 0} == {
        "id": 4,
        "username": "user",
        "method": "cas",
        "expires_at": 0,
        "roles": 0,
    }
    (asked,) = provider.asked
    assert (asked.method, asked.path) == ("GET", "/cas/p3/serviceValidate")
    assert asked.query == {"service": [attempt.service], "ticket": ["ST-ada"]}
    assert asked.headers["Accept-Encoding"] == "identity"
    assert "Cookie" not in asked.headers


def test_each_cookie_has_exactly_these_attributes(server: Server) -> None:
    answer = ask(server.port, "/auth/cas")
    name, *attributes = answer["Set-Cookie"].split("; ")
    assert name.startswith("latchkey_cas_")
    assert sorted(attributes) == sorted(
        ["HttpOnly", "Secure", "SameSite=Lax", "Path=/auth/cas", "Max-Age=600"]
    )
    link(server, "user", "attributes")
    lines = back(server, begin(server), fresh("ST-attributes")).all("Set-Cookie")
    session, returns, over = (line.split("; ") for line in lines)
    assert session[0].startswith("jwt=ey")
    assert "SameSite=Strict" in session
    assert returns[0].startswith("latchkey_returns=")
    assert sorted(returns[1:]) == sorted(
        ["HttpOnly", "Secure", "SameSite=Lax", "Path=/auth", "Max-Age=60"]
    )
    assert over[0].startswith("latchkey_cas_")
    assert "Max-Age=0" in over


def test_the_other_settings(trusting: Server, provider: Scripted) -> None:
    provider.asked.clear()
    attempt = begin(trusting, "?gateway=true")
    service = f"https://login.example.org/auth/cas?attempt={attempt.id}"
    query = parse_qs(urlsplit(attempt.to).query)
    assert query == {"service": [service], "renew": ["true"]}
    assert me(trusting, back(trusting, attempt, "ST-manager"))["username"] == "manager"
    (asked,) = provider.asked
    assert asked.path == "/serviceValidate"
    assert asked.query == {"service": [service], "ticket": ["ST-manager"], "renew": ["true"]}


def test_gateway_asks_nobody_and_leads_to_the_sign_in_page(server: Server) -> None:
    attempt = begin(server, "?gateway=true&next=/auth/me")
    assert parse_qs(urlsplit(attempt.to).query)["gateway"] == ["true"]
    answer = back(server, attempt, None)
    assert (answer.status, answer["Location"]) == (302, "/auth/login?next=%2Fauth%2Fme")
    assert jwt(answer) is None
    link(server, "user", "gateway")
    attempt = begin(server, "?gateway=true")
    assert me(server, back(server, attempt, "ST-gateway"))["username"] == "user"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", **PAGE}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 200),
        (PAGE, 200),
        ({"Sec-Fetch-Site": "same-site", **PAGE}, 302),
        ({"Sec-Fetch-Site": "none", **PAGE}, 302),
        ({}, 302),
    ],
    ids=str,
)
def test_the_landing_is_a_page_where_a_redirect_would_land_people_signed_out(
    server: Server, headers: dict[str, str], status: int
) -> None:
    link(server, "user", "landing")
    answer = back(server, begin(server, "?next=/auth/me"), fresh("ST-landing"), **headers)
    assert answer.status == status
    assert jwt(answer) is not None
    if status == 200:
        assert 'content="0; url=/auth/me"' in answer.text


# --- Whose account it is -------------------------------------------------------------------------


def test_an_unknown_account_is_refused_and_told_what_to_ask_for(server: Server) -> None:
    answer = back(server, begin(server, "?next=/auth/me"), "ST-Ada_Lovelace")
    assert (answer.status, answer.code) == (403, "identity_unknown")
    assert (answer.json["provider"], answer.json["subject"]) == ("cas", "Ada Lovelace")
    assert jwt(answer) is None
    page = back(server, begin(server, "?next=/auth/me"), "ST-<b>&amp;", **PAGE)
    assert page.status == 400
    page = back(server, begin(server, "?next=/auth/me"), "ST-Ada_Lovelace", **PAGE)
    assert "<code>Ada Lovelace</code>" in page.text
    assert 'href="/auth/cas?next=%2Fauth%2Fme&amp;prompt=select_account"' in page.text
    assert 'href="/auth/login?next=%2Fauth%2Fme"' in page.text


def test_a_name_is_no_claim_unless_it_is_trusted(server: Server, trusting: Server) -> None:
    assert back(server, begin(server), "ST-admin").code == "identity_unknown"
    assert me(trusting, back(trusting, begin(trusting), "ST-ADMIN"))["username"] == "admin"
    assert back(trusting, begin(trusting), "ST-nobody").code == "identity_unknown"
    assert back(trusting, begin(trusting), "ST-Ada_Lovelace").code == "identity_unknown"
    link(trusting, "user", "linked")
    assert me(trusting, back(trusting, begin(trusting), fresh("ST-Linked")))["username"] == "user"


def test_a_disabled_user_is_refused_like_an_unknown_one(start: Start, provider: Scripted) -> None:
    server = start(CAS_URL=provider.url, CAS_TRUST_USERNAMES="true")
    link(server, "user", "ada")
    assert server.cli("user", "disable", "user").returncode == 0
    for ticket in ("ST-ada", "ST-user"):
        answer = back(server, begin(server), ticket)
        assert (answer.status, answer.code) == (401, "user_unknown")
        assert jwt(answer) is None
    assert server.cli("user", "enable", "user").returncode == 0
    assert me(server, back(server, begin(server), "ST-ada"))["username"] == "user"


def test_unknown_people_are_created_where_that_is_on(start: Start, provider: Scripted) -> None:
    server = start(CAS_URL=provider.url, PROVISION_USERS="true")
    first = me(server, back(server, begin(server), fresh("ST-Ada")))
    assert (first["username"], first["roles"]) == ("ada", [])
    again = me(server, back(server, begin(server), fresh("ST-Ada")))
    assert again["id"] == first["id"]
    shown = server.cli("user", "show", "ada").stdout
    assert "cas:Ada" in shown
    for ticket, status, code in (
        ("ST-ada", 409, "username_taken"),
        ("ST-admin", 409, "username_taken"),
        ("ST-Ada_Lovelace", 400, "username_invalid"),
        ("ST-" + "a" * 65, 400, "username_invalid"),
    ):
        answer = back(server, begin(server), ticket)
        assert (answer.status, answer.code) == (status, code)
        assert answer.json["provider"] == "cas"
        assert jwt(answer) is None
    assert server.cli("user", "delete", "ada", "--yes").returncode == 0
    token = str(jwt(back(server, begin(server), fresh("ST-Ada"))))
    reborn = ask(server.port, "/auth/me", headers=bearer(token)).json
    assert reborn["id"] != first["id"]
    admin = ask(server.port, "/auth/bypass?token=admin").token
    entries = ask(server.port, "/api/v1/audit", headers=bearer(admin)).json
    made = [entry for entry in entries if entry["action"] == "user_create"]
    assert made[0]["actor"] == {"id": None, "name": "provider:cas"}
    log = server.log(until="identity_link user=ada by=provider:cas provider=cas")
    assert re.search(rf"user_create user=ada by=provider:cas .* id={made[0]['request_id']}\n", log)


def test_roles_follow_the_provider_where_that_is_on(start: Start, provider: Scripted) -> None:
    settings = {
        "CAS_URL": provider.url,
        "CAS_TRUST_USERNAMES": "true",
        "CAS_ROLES_ATTRIBUTE": "memberOf",
        "CAS_ROLES": "manage_documents=cn=staff,dc=org; manage_users=boss; no_such_role=staff",
    }
    server = start(**settings)
    held: list[str] = []

    def script(_asked: Asked) -> bytes:
        values = "".join(f"<cas:memberOf>{value}</cas:memberOf>" for value in held)
        return success(name, f"<cas:attributes><cas:mail>x</cas:mail>{values}</cas:attributes>")

    def roles() -> list[str]:
        token = jwt(back(server, begin(server), fresh("ST-x")))
        shown = ask(server.port, "/auth/me", headers=bearer(str(token))).json
        return sorted(role["role"] for role in shown["roles"])

    try:
        name, provider.script = "user", script
        assert roles() == ["view_communities", "view_documents"]
        held[:] = ["cn=staff,dc=org", "boss", "other"]
        everything = ["manage_documents", "manage_users", "view_communities", "view_documents"]
        assert roles() == everything
        held[:] = ["CN=staff,dc=org"]
        assert roles() == ["view_communities", "view_documents"]
        name = "admin"
        assert "manage_users" in roles()  # the last who can manage stays
        assert "roles_kept user=admin" in server.log(until="roles_kept")
    finally:
        provider.script = who


def test_the_ways_in_are_shown(server: Server, production: Server) -> None:
    for path in ("/", "/auth/login"):
        page = ask(server.port, f"{path}?next=/auth/me")
        next_ = "%2F" if path == "/" else "%2Fauth%2Fme"
        assert f'href="/auth/cas?next={next_}">Sign in with CAS</a>' in page.text
    assert "Sign in with" not in ask(production.port, "/auth/login").text
    assert ask(production.port, "/auth/cas").code == "not_found"


# --- The description -----------------------------------------------------------------------------


def test_each_documented_answer_comes_and_each_that_comes_is_documented(
    start: Start, provider: Scripted
) -> None:
    server = start(CAS_URL=provider.url, PROVISION_USERS="true")
    document = ask(server.port, "/openapi.json").json
    came: set[tuple[str, str]] = set()

    def note(method: str, answer: Answer) -> None:
        assert_documented(document, method, "/auth/cas", answer)
        came.add((method, str(answer.status)))

    def come(ticket: str | None, **headers: str) -> None:
        note("GET", back(server, begin(server), ticket and fresh(ticket), **headers))

    note("GET", ask(server.port, "/auth/cas"))
    come("ST-fresh")
    come("ST-fresh", Sec_Fetch_Site="cross-site")
    come(None)
    come("ST-admin")
    come("ST-a_b")
    come("ST-admin", **PAGE)
    note("GET", ask(server.port, "/auth/cas", headers={"Purpose": "prefetch"}))
    note("GET", ask(server.port, "/auth/cas?attempt=x"))
    try:
        provider.script = lambda _: failure("INVALID_TICKET")
        come(TICKET)
        provider.script = lambda _: b""
        come(TICKET)
        provider.script = lambda _: None
        come(TICKET)
    finally:
        provider.script = who
    note("POST", log_out(server, logout_request("ST-1-a")))
    note("POST", log_out(server, "x"))
    note("POST", cas.post(server, b"x", Content_Type="text/plain"))
    bodies = {"408", "413", "414", "415", "417", "431", "500"}
    documented = {
        (method, status)
        for (method, path), operation in operations(document).items()
        if path == "/auth/cas"
        for status in operation["responses"]
        if status not in bodies
    }
    assert documented - came == {("POST", "503")}  # the database's, as everywhere
