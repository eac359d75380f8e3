"""Sign-in by CAS over HTTP: there and back, whose account it is, and how it ends."""

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.support import cas, sso
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
    stem,
    success,
)
from tests.support.client import Answer, ask, bearer, cookie
from tests.support.description import assert_documented, operations
from tests.support.environment import STRONG
from tests.support.keyfiles import within
from tests.support.servers import Server, Start
from tests.support.sso import Asked, Scripted
from tests.support.stores import run_sql, unreachable

REFUSED = [
    ("nothing", "a=b"),
    ("no value", "logoutRequest="),
    ("two", "logoutRequest=<a/>&logoutRequest=<a/>"),
    ("too many fields", "&".join(f"a{n}=b" for n in range(20))),
    ("not text", "logoutRequest=%ff"),
]
REQUESTS = [
    ("not XML", "logout"),
    ("a doctype", logout_request("ST-1-a", before="<!DOCTYPE a>")),
    (
        "an outside entity",
        logout_request("&x;", before='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    ),
    ("two tickets", logout_request("ST-1-a", "<samlp:SessionIndex>ST-1-b</samlp:SessionIndex>")),
    ("no ticket", logout_request("")),
    ("a ticket of wrong shape", logout_request("ST-1-a'; DROP TABLE users")),
    ("a ticket with a comment", logout_request("ST-1-a<!-- -->b")),
    ("a ticket in another namespace", logout_request("ST-1-a").replace("samlp:Session", "Session")),
    ("another root", logout_request("ST-1-a").replace("LogoutRequest", "AuthnRequest")),
    ("another encoding", '<?xml version="1.0" encoding="utf-16"?>' + logout_request("ST-1-a")),
]


def who(asked: Asked) -> bytes:
    """Name the user that the ticket is called after: `ST-ada` is `ada`'s."""
    (ticket,) = asked.query["ticket"]
    return success(stem(ticket).removeprefix("ST-").replace("_", " "))


@pytest.fixture(scope="module")
def provider() -> Iterator[Scripted]:
    with sso.scripted(who) as running:
        yield running


@pytest.fixture(scope="module")
def server(start: Start, provider: Scripted) -> Server:
    """Return a server that knows only who is linked."""
    return start(CAS_URL=f"{provider.url}/cas")


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


def link(server: Server, username: str, subject: str) -> None:
    assert server.cli("user", "link", username, "cas", subject).returncode == 0


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
    assert 'href="/auth/cas?next=%2Fauth%2Fme"' in page.text
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


# --- How it ends ---------------------------------------------------------------------------------


def is_in(server: Server, token: str) -> bool:
    return ask(server.port, "/auth/me", headers=bearer(token)).status == 200


def test_signing_out_goes_on_to_the_provider(server: Server, provider: Scripted) -> None:
    link(server, "user", "leaving")
    for method in ("GET", "POST"):
        token = str(jwt(cas.sign_in(server, fresh("ST-leaving"))))
        headers = cookie(token)
        answer = ask(server.port, "/auth/logout?next=/auth/login", method, headers=headers)
        there = f"{provider.url}/cas/logout?service={quote(server.url + '/auth/login', safe='')}"
        assert (answer.status, answer["Location"]) == (302, there)
        assert "jwt=; " in answer["Set-Cookie"]
        assert not is_in(server, token)
        assert f"form-action 'self' {provider.url};" in answer["Content-Security-Policy"]
        again = ask(server.port, "/auth/logout?next=/auth/login", method, headers=headers)
        assert again["Location"] == "/auth/login"


def test_signing_out_of_another_session_stays_here(server: Server) -> None:
    token = ask(server.port, "/auth/bypass?token=user").token
    answer = ask(server.port, "/auth/logout", "POST", headers=cookie(token))
    assert (answer.status, answer["Location"]) == (302, "/")


def test_single_logout_ends_the_session_that_the_ticket_opened_everywhere(
    start: Start, server: Server
) -> None:
    beside = start(beside=server)
    link(server, "user", "twice")
    first = str(jwt(cas.sign_in(server, "ST-twice")))
    exchanged = ask(server.port, "/auth/token", headers=bearer(first)).json["token"]
    provider_ticket, other = "ST-other", str(jwt(cas_sign_in_as(server, "other")))
    assert is_in(beside, first)
    answer = log_out(server, logout_request("ST-twice"))
    assert (answer.status, answer.body) == (204, b"")
    for token in (first, exchanged):
        assert ask(server.port, "/auth/me", headers=bearer(token)).code == "token_revoked"
        within(1, lambda token=token: not is_in(beside, token))  # type: ignore[misc]
    assert is_in(server, other)
    assert log_out(server, logout_request("ST-twice")).status == 204
    assert is_in(server, other)
    log_out(beside, logout_request(provider_ticket), Sec_Fetch_Site="cross-site")
    within(1, lambda: not is_in(server, other))


def cas_sign_in_as(server: Server, subject: str) -> Answer:
    link(server, "manager", subject)
    return cas.sign_in(server, f"ST-{subject}")


def newest_row(server: Server) -> str:
    """Return the number of the newest row of the feed."""
    return ask(server.port, "/auth/revocations")["ETag"].partition(".")[0]


def test_a_forged_logout_changes_nothing(server: Server) -> None:
    token = str(jwt(cas_sign_in_as(server, "forged")))
    before = newest_row(server)
    handle = hashlib.sha256(b"ST-forged").hexdigest()
    for ticket in ("ST-forgex", "ST-Forged", "ST-forged.", f"ST-{handle}", "ST-" + "a" * 253):
        headers = {**cookie(token), "Origin": "https://evil.example"}
        answer = log_out(server, logout_request(ticket), **headers, Sec_Fetch_Site="cross-site")
        assert answer.status == 204
        assert answer.all("Set-Cookie") == []
    assert newest_row(server) == before
    assert is_in(server, token)


@pytest.mark.parametrize("text", [row[1] for row in REQUESTS], ids=[row[0] for row in REQUESTS])
def test_what_is_not_a_logout_request_is_refused(server: Server, text: str) -> None:
    answer = log_out(server, text)
    assert (answer.status, answer.code) == (400, "logout_request_invalid")


@pytest.mark.parametrize("body", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_form_without_one_logout_request_is_refused(server: Server, body: str) -> None:
    answer = cas.post(server, body.encode())
    assert (answer.status, answer.code) == (400, "logout_request_invalid")


def test_the_bounds_of_a_logout_request(server: Server) -> None:
    body = b"logoutRequest=" + b"a" * 65536
    assert cas.post(server, body).code == "body_too_large"
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/xml"):
        answer = cas.post(server, b"{}", Content_Type=kind)
        assert (answer.status, answer.code) == (415, "content_type_unsupported")
    assert cas.post(server, b"").code == "logout_request_invalid"
    longest = logout_request("ST-1", inside=" " * (4096 - len(logout_request("ST-1"))))
    escaped = "".join(f"%{byte:02x}" for byte in longest.encode())
    assert cas.post(server, f"logoutRequest={escaped}&x={'y' * 2000}".encode()).status == 204
    assert log_out(server, f"{longest} ").code == "logout_request_invalid"
    assert cas.post(server, f"logoutRequest={escaped}&x={'y' * 4100}".encode()).status == 400
    assert cas.post(server, b"x", Content_Encoding="gzip").code == "encoding_unsupported"


def test_the_ticket_itself_is_kept_nowhere(server: Server) -> None:
    link(server, "user", "kept-nowhere")
    cas.sign_in(server, "ST-kept-nowhere")
    rows = run_sql(server.database, "SELECT handle, subject FROM provider_sessions")
    assert (hashlib.sha256(b"ST-kept-nowhere").hexdigest(), "kept-nowhere") in rows
    assert not any("ST-" in str(value) for row in rows for value in row)
    assert "ST-kept-nowhere" not in server.log(until="sign_in user=user")


def test_nobody_is_signed_in_whose_session_could_not_be_ended(server: Server) -> None:
    link(server, "user", "unwritten")
    attempt = begin(server)
    with unreachable(server.database):
        answer = back(server, attempt, "ST-unwritten")
    assert (answer.status, answer.code) == (503, "database_unavailable")
    assert jwt(answer) is None


# --- Tabs, circles, keys -------------------------------------------------------------------------


def test_two_tabs_do_not_hurt_each_other(server: Server) -> None:
    link(server, "user", "tabs")
    one, two = begin(server, "?next=/one"), begin(server, "?next=/two")
    both = f"{one.cookie}; {two.cookie}"
    second = back(server, two, fresh("ST-tabs"), cookie=both)
    assert second["Location"] == "/two"
    assert f"{two.name}=;" in second.all("Set-Cookie")[2]
    assert back(server, one, fresh("ST-tabs"), cookie=both)["Location"] == "/one"


def test_a_browser_keeps_five_attempts(server: Server) -> None:
    jar = [begin(server).cookie for _ in range(7)]
    answer = ask(server.port, "/auth/cas", headers={"Cookie": "; ".join(jar)})
    newest, *ended = answer.all("Set-Cookie")
    assert "Max-Age=600" in newest
    oldest = [line.partition("=")[0] for line in jar[:3]]
    assert sorted(line.partition("=")[0] for line in ended) == sorted(oldest)
    assert all("Max-Age=0" in line for line in ended)


def test_of_very_many_attempts_an_answer_forgets_some_of_the_oldest(server: Server) -> None:
    jar = [f"latchkey_cas_{number:022}=" for number in range(200)]
    answer = ask(server.port, "/auth/cas", headers={"Cookie": "; ".join(jar)})
    assert answer.status == 302
    ended = [line.partition("=")[0] + "=" for line in answer.all("Set-Cookie")[1:]]
    assert sorted(ended) == jar[:32]


def test_attempts_with_long_addresses_leave_room_in_the_header(server: Server) -> None:
    link(server, "user", "long")
    session = f"jwt={'x' * 3500}"
    jar: dict[str, str] = {}
    for _ in range(7):
        sent = "; ".join([session, *(f"{name}={value}" for name, value in jar.items())])
        path = f"/auth/cas?next=/{'a' * 2000}"
        answer = ask(server.port, path, headers={"Cookie": sent})
        assert answer.status == 302, answer.text
        for line in answer.all("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            jar.pop(name, None)
            if value:
                jar[name] = value
    sent = "; ".join(f"{name}={value}" for name, value in jar.items())
    newest = [name for name in jar if name.startswith("latchkey_cas_")][-1]
    path = f"/auth/cas?ticket=ST-long&attempt={newest.removeprefix('latchkey_cas_')}"
    done = ask(server.port, path, headers={"Cookie": f"{session}; {sent}"})
    assert (done.status, len(done["Location"])) == (302, 2001)


def test_a_browser_in_circles_gets_a_page_and_no_fourth_redirect(server: Server) -> None:
    link(server, "user", "circles")
    returns = ""
    for _ in range(3):
        attempt = begin(server, Cookie=returns)
        answer = back(server, attempt, fresh("ST-circles"), cookie=f"{attempt.cookie}; {returns}")
        returns = answer.all("Set-Cookie")[1].partition(";")[0]
        session = answer.all("Set-Cookie")[0].partition(";")[0]
    answer = ask(server.port, "/auth/cas", headers={"Cookie": returns})
    assert (answer.status, answer.code) == (400, "cookie_not_kept")
    for reason in ("Safari", "HTTP", "COOKIE_DOMAIN", "same name"):
        assert reason in answer.json["detail"]
    twice = f"{returns}; {session}; {session}"
    assert ask(server.port, "/auth/cas", headers={"Cookie": twice}).code == "cookie_not_kept"
    kept = ask(server.port, "/auth/cas", headers={"Cookie": f"{returns}; {session}"})
    assert kept.status == 302
    for forged in ("latchkey_returns=x", f"{returns}; {returns}", f"{returns}x"):
        assert ask(server.port, "/auth/cas", headers={"Cookie": forged}).status == 302
    out = ask(server.port, "/auth/logout", headers={"Cookie": f"{returns}; {session}"})
    assert any(line.startswith("latchkey_returns=;") for line in out.all("Set-Cookie"))


def test_another_replica_and_a_new_key_finish_what_was_begun(start: Start, server: Server) -> None:
    link(server, "user", "replicas")
    attempt = begin(server)
    new = start(beside=server, JWT_SECRET_KEY=STRONG, JWT_SECRET_KEY_PREVIOUS=_secret(server))
    assert jwt(back(new, attempt, "ST-replicas")) is not None
    stranger = start(beside=server, JWT_SECRET_KEY=STRONG)
    assert back(stranger, attempt, "ST-replicas").code == "attempt_unknown"


def _secret(server: Server) -> str:
    lines = (server.folder / ".env").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("JWT_SECRET_KEY="))


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
    bodies = {"408", "413", "415", "417", "500"}
    documented = {
        (method, status)
        for (method, path), operation in operations(document).items()
        if path == "/auth/cas"
        for status in operation["responses"]
        if status not in bodies
    }
    assert documented - came == {("POST", "503")}  # the database's, as everywhere
