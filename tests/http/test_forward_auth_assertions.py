"""Assertions of `/auth/verify`: for one host and one user, never for an odd host."""

import re

import jwt
import pytest

from tests.support.client import ask, bearer, cookie, send, sign_in
from tests.support.derived import assertion_key
from tests.support.environment import SECRET
from tests.support.forwarded import (
    DIALECTS,
    NAVIGATION,
    PUBLIC,
    X_FORWARDED,
    X_ORIGINAL,
    behind,
    verify,
)
from tests.support.servers import Server, Start

__all__ = ["behind"]

TYPE = "latchkey-assertion+jwt"


def signed_in(server: Server, username: str = "user") -> dict[str, str]:
    """Sign in under the public host name."""
    headers = {"Host": "auth.example.org"}
    answer = ask(server.port, f"/auth/bypass?token={username}", headers=headers)
    assert answer.status == 302
    return cookie(answer.token)


@pytest.mark.parametrize("proxy", DIALECTS)
def test_an_application_can_check_that_the_proxy_asked(behind: Server, proxy: str) -> None:
    jar = signed_in(behind)
    assertion = verify(behind, f"?proxy={proxy}", **DIALECTS[proxy], **jar)["X-Latchkey-Assertion"]
    header = jwt.get_unverified_header(assertion)
    assert header["typ"] == TYPE
    keys = jwt.PyJWKSet.from_dict(ask(behind.port, "/.well-known/assertion-jwks.json").json)
    claims = jwt.decode(
        assertion,
        keys[header["kid"]],
        algorithms=["EdDSA"],
        audience="app.example.org",
        issuer=PUBLIC,
    )
    assert claims["exp"] - claims["iat"] == 60
    assert (claims["sub"], claims["username"]) == ("4", "user")
    assert [role["role"] for role in claims["roles"]] == ["view_documents", "view_communities"]
    assert claims.keys() == {"iss", "aud", "sub", "username", "roles", "iat", "exp"}
    # It is not a session: nobody gets in with it.
    for carry in (cookie, bearer):
        assert ask(behind.port, "/auth/me", headers=carry(assertion)).code == "token_invalid"
    again = verify(behind, f"?proxy={proxy}", **DIALECTS[proxy], **jar)["X-Latchkey-Assertion"]
    assert again == assertion


def test_with_a_secret_an_application_has_a_key_that_makes_no_sessions(start: Start) -> None:
    behind = start(TRUSTED_PROXIES="127.0.0.1")
    jar = cookie(sign_in(behind.port, "user"))
    assertion = verify(behind, "?proxy=caddy", **X_FORWARDED, **jar)["X-Latchkey-Assertion"]
    assert jwt.get_unverified_header(assertion) == {"alg": "HS256", "typ": TYPE}
    claims = jwt.decode(
        assertion,
        assertion_key(SECRET),
        algorithms=["HS256"],
        audience="app.example.org",
        issuer=behind.url,
    )
    assert (claims["sub"], claims["username"]) == ("4", "user")
    forged = jwt.encode(
        jwt.decode(sign_in(behind.port), options={"verify_signature": False}),
        assertion_key(SECRET),
        "HS256",
    )
    for each in (assertion, forged):
        for carry in (cookie, bearer):
            assert ask(behind.port, "/auth/me", headers=carry(each)).code == "token_invalid"


def test_each_host_and_each_user_has_an_assertion_of_its_own(behind: Server) -> None:
    found = set()
    for username in ("admin", "user"):
        jar = signed_in(behind, username)
        for host in ("app.example.org", "wiki.example.org:8443"):
            headers = {**X_FORWARDED, "X-Forwarded-Host": host}
            answer = verify(behind, "?proxy=caddy", **headers, **jar)
            claims = jwt.decode(answer["X-Latchkey-Assertion"], options={"verify_signature": False})
            found.add((claims["username"], claims["aud"]))
    assert len(found) == 4
    assert ("user", "wiki.example.org:8443") in found


NO_HOSTS = [
    *("", "a b", "evil.example, app.example.org", "evil.example/,app.example.org"),
    "u@app.example.org",
    *("app.example.org:evil", "app.example.org:", "app.example.org:0", "app.example.org:99999"),
    *("app.example.org:443:443", "app.example.org:80@evil.example", "user:x@app.example.org"),
    *("app.example.org.", ".app.example.org", "%61pp.example.org", "app.example.org%00", "*", "-"),
    *("app.example.org/x", "app.example.org?x", "app.example.org#x", "app.example.org\\@e", "[::1"),
    *("[::g]", "app.example.org;x", '"><script>', "app.example.org\te", "caf\u00e9.example.org"),
    "1.2.3",
]  # fmt: skip


@pytest.mark.parametrize("host", NO_HOSTS)
@pytest.mark.parametrize("proxy", DIALECTS)
def test_a_host_that_is_none_is_refused_whoever_comes(
    behind: Server, proxy: str, host: str
) -> None:
    headers = {**X_FORWARDED, "X-Forwarded-Host": host}
    if DIALECTS[proxy] is X_ORIGINAL:
        headers = {**X_ORIGINAL, "X-Original-URL": f"https://{host}"}
    for credential in ({}, NAVIGATION, signed_in(behind)):
        answer = verify(behind, f"?proxy={proxy}", **headers, **credential)
        read = re.split(r"[/?#]", host)[0]
        if DIALECTS[proxy] is X_ORIGINAL and read in {"app.example.org", "evil.example"}:
            assert answer.status in {200, 401}  # of an address, only the host is judged
        else:
            assert (answer.status, answer.code) == (403, "forward_invalid")


@pytest.mark.parametrize(
    "host",
    ["app.example.org", "APP.example.org:8443", "app_1.example.org", "[::1]:80", "127.0.0.1"],
)
@pytest.mark.parametrize("scheme", ["https", "http", "wss"])
def test_a_plain_host_is_taken(behind: Server, host: str, scheme: str) -> None:
    headers = {**X_FORWARDED, "X-Forwarded-Host": host, "X-Forwarded-Proto": scheme}
    assert verify(behind, "?proxy=caddy", **headers, **signed_in(behind)).status == 200
    headers = {**X_ORIGINAL, "X-Original-URL": f"{scheme}://{host}/x?y=://u@z"}
    assert verify(behind, "?proxy=nginx", **headers, **signed_in(behind)).status == 200


def test_of_several_hosts_none_may_be_odd(behind: Server) -> None:
    head = "GET /auth/verify?proxy=caddy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for hosts in (
        ["evil.example/", "app.example.org"],
        ["app.example.org", "app.example.org:evil"],
    ):
        lines = "".join(f"X-Forwarded-Host: {host}\r\n" for host in hosts)
        assert send(behind.port, f"{head}{lines}\r\n".encode()).startswith(b"HTTP/1.1 403 ")


def test_from_a_proxy_that_is_not_trusted_no_host_is_read(server: Server) -> None:
    headers = {**X_FORWARDED, "X-Forwarded-Host": "evil.example/,app.example.org"}
    token = sign_in(server.port, "user")
    assert verify(server, "?proxy=caddy", **headers, **cookie(token)).status == 200
