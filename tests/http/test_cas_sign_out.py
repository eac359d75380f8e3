"""Signing out over CAS: here, and by the provider's single logout."""

import hashlib
from urllib.parse import quote

import pytest

from tests.support import cas
from tests.support.cas import back, begin, fresh, jwt, log_out, logout_request
from tests.support.cas_sign_in import link, provider, server
from tests.support.client import Answer, ask, bearer, cookie
from tests.support.keyfiles import within
from tests.support.servers import Server, Start
from tests.support.sso import Scripted
from tests.support.stores import run_sql, unreachable

__all__ = ["provider", "server"]

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


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (logout_request("ST-1-a", "<!--" + "x" * 5000 + "-->"), "4,096 bytes"),
        (logout_request("ST-1-a", "<a>" * 40 + "</a>" * 40), "32 levels"),
        (logout_request("ST-1-a", "x" * 20_000), "16,384 bytes"),
    ],
    ids=["bytes", "levels", "form"],
)
def test_a_logout_request_over_a_limit_names_it(server: Server, body: str, limit: str) -> None:
    answer = log_out(server, body)
    assert (answer.status, answer.code) == (400, "logout_request_invalid")
    assert limit in answer.json["detail"]
    (line,) = [
        line
        for line in server.log(until=answer["X-Request-ID"]).splitlines()
        if " refused code" in line and answer["X-Request-ID"] in line
    ]
    assert limit in line


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
