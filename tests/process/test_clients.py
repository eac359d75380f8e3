"""The verifiers in clients/ accept and refuse as they should, each against a server."""

import hashlib
import hmac
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import jwt
import latchkey_verifier
import pytest

from tests.support.client import ask, bearer, sign_in
from tests.support.clients import EC, ED, FEED_ED, FEED_PATH, issuer
from tests.support.environment import ROOT, SECRET, STRONG, free_port
from tests.support.issuer import FEED, Claims, Issuer, compact
from tests.support.servers import Server, Start
from tests.support.verifiers import Client, Make, outcome, seconds_until

__all__ = ["issuer"]

STORES = ("sqlite",)  # no store has a part in this


@pytest.fixture(scope="module")
def latchkey(start: Start) -> Server:
    """Return a server of our own: users are changed in it."""
    return start()


def verifier(make: Make, server: Server, **options: Any) -> Client:
    """Return a verifier of a server's tokens."""
    return make(server.url, secrets=[SECRET], accept_bypass=True, **options)


# Against a running server, with the shared secret


def test_a_good_token_is_accepted_with_its_claims(make: Make, latchkey: Server) -> None:
    client = verifier(make, latchkey)
    token = sign_in(latchkey.port)
    exchanged = ask(latchkey.port, "/auth/token", headers=bearer(token)).json["token"]
    for each in (token, exchanged, token):
        known = jwt.decode(each, SECRET, ["HS256"], issuer=latchkey.url)
        assert client.verify(each) == {**known, "stale_roles": False}


def test_signed_out_is_refused_within_two_seconds(make: Make, latchkey: Server) -> None:
    client = verifier(make, latchkey)
    other = sign_in(latchkey.port)
    times = []
    for _ in range(5):
        token = sign_in(latchkey.port)
        exchanged = ask(latchkey.port, "/auth/token", headers=bearer(token)).json["token"]
        assert outcome(client, exchanged) == "good"
        assert ask(latchkey.port, "/auth/logout", "POST", headers=bearer(token)).status == 302
        times.append(seconds_until(client, exchanged, "token_revoked", at_most=2))
        assert outcome(client, token) == "token_revoked"
    print(f"\nsign-out: worst {max(times) * 1000:.0f} ms")  # noqa: T201  # the figure is wanted
    assert outcome(client, other) == "good"
    assert outcome(verifier(make, latchkey), token) == "token_revoked"


@pytest.mark.parametrize("verb", ["disable", "delete", "sign-out"])
def test_the_command_line_takes_tokens_back(make: Make, latchkey: Server, verb: str) -> None:
    client = verifier(make, latchkey)
    name = f"{verb}-{time.monotonic_ns()}"
    assert latchkey.cli("user", "create", name).returncode == 0
    token, other = sign_in(latchkey.port, name), sign_in(latchkey.port)
    assert outcome(client, token) == "good"
    yes = ["--yes"] if verb == "delete" else []
    assert latchkey.cli("user", verb, name, *yes).returncode == 0
    seconds_until(client, token, "token_revoked", at_most=2)
    assert outcome(client, other) == "good"
    if verb == "sign-out":
        assert outcome(client, sign_in(latchkey.port, name)) == "good"


def exchanged(server: Server, token: str) -> str:
    """Return a new token for the same session."""
    return str(ask(server.port, "/auth/token", headers=bearer(token)).json["token"])


def test_a_change_of_roles_or_name_shows_as_stale(make: Make, latchkey: Server) -> None:
    client = verifier(make, latchkey)
    name = f"changed-{time.monotonic_ns()}"
    assert latchkey.cli("user", "create", name, "--role", "manage_users").returncode == 0
    for change in (["role", "revoke", name, "manage_users"], ["user", "rename", name, f"{name}x"]):
        token = sign_in(latchkey.port, name)
        assert outcome(client, token) == "good"
        assert latchkey.cli(*change).returncode == 0
        began = time.monotonic()
        while not (seen := client.verify(token))["stale_roles"]:  # type: ignore[index]
            assert time.monotonic() - began < 2
        assert isinstance(seen, dict)
        assert seen["roles"] == []
        assert seen.get("username") is None
        # The feed is read from the database: it can be 0.2 s ahead of what Latchkey itself knows.
        while (current := client.verify(exchanged(latchkey, token)))["stale_roles"]:  # type: ignore[index]
            assert time.monotonic() - began < 3
        assert isinstance(current, dict)
        assert (
            current["username"]
            == ask(latchkey.port, "/auth/me", headers=bearer(token)).json["username"]
        )


def test_a_feed_out_of_reach_is_stale_after_the_limit(make: Make, start: Start) -> None:
    server = start()
    client = verifier(make, server, max_staleness=2)
    token, revoked = sign_in(server.port), sign_in(server.port)
    ask(server.port, "/auth/logout", "POST", headers=bearer(revoked))
    seconds_until(client, revoked, "token_revoked")
    server.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(0.5)
        assert outcome(client, token) == "good"
        assert seconds_until(client, token, "feed_stale") > 0.5
        assert outcome(client, revoked) == "feed_stale"
        assert outcome(client, token[:-4] + "AAAA") == "token_invalid"
    finally:
        server.process.send_signal(signal.SIGCONT)
    seconds_until(client, token, "good")
    assert outcome(client, revoked) == "token_revoked"


def test_whom_nobody_ever_answered_accepts_nothing(make: Make, latchkey: Server) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    token = sign_in(latchkey.port)
    assert outcome(verifier(make, latchkey, url=nowhere), token) == "feed_stale"
    assert outcome(make(nowhere), EC.sign({"iss": nowhere})) == "token_invalid"


def signed(secret: str = SECRET, header: Claims | None = None, **claims: Any) -> str:
    """Return a token with the secret of the tests; None takes a claim away."""
    claims = {name: value for name, value in claims.items() if value is not None}
    return compact(
        {"alg": "HS256", "typ": "JWT", **(header or {})},
        claims,
        lambda message: hmac.digest(secret.encode(), message, hashlib.sha256),
    )


HOSTILE: list[tuple[str, str, Claims, Claims]] = [
    ("another secret", "token_invalid", {}, {"secret": STRONG}),
    ("expired", "token_expired", {}, {"exp": 1}),
    ("expires now", "token_expired", {}, {"exp": int(time.time())}),
    ("another issuer", "issuer_invalid", {}, {"iss": "http://localhost:1"}),
    ("an audience that nobody asked for", "audience_invalid", {}, {"aud": "elsewhere"}),
    ("a document of the feed", "token_invalid", {"typ": FEED}, {}),
    ("another type", "token_invalid", {"typ": "at+jwt"}, {}),
    ("the type in other letters", "token_invalid", {"typ": "jwt"}, {}),
    ("HS512", "algorithm_invalid", {"alg": "HS512"}, {}),
    ("ES256", "algorithm_invalid", {"alg": "ES256"}, {}),
    ("a kid of nobody", "token_invalid", {"kid": "k"}, {}),
    ("jku", "token_invalid", {"jku": "https://evil.example/keys"}, {}),
    ("crit", "token_invalid", {"crit": ["b64"], "b64": True}, {}),
    ("without a session", "token_invalid", {}, {"sid": None}),
    ("without a version", "token_invalid", {}, {"ver": None}),
    ("without a subject", "token_invalid", {}, {"sub": None}),
    ("without an end", "token_invalid", {}, {"exp": None}),
    ("from the future", "token_invalid", {}, {"iat": int(time.time()) + 86400}),
    ("a version that no user has", "token_invalid", {}, {"ver": 2**62}),
    ("the highest version", "token_invalid", {}, {"ver": 2**63 - 1}),
    ("a version in letters", "token_invalid", {}, {"ver": "9"}),
    ("a session from the future", "token_invalid", {}, {"auth_time": int(time.time()) + 86400}),
    ("a session of the end of time", "token_invalid", {}, {"auth_time": 253402300799}),
    ("a session from some time", "token_invalid", {}, {"auth_time": "later"}),
]


@pytest.mark.parametrize(
    ("expected", "header", "changes"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE]
)
def test_hostile_tokens_are_refused(
    make: Make, latchkey: Server, expected: str, header: Claims, changes: Claims
) -> None:
    client = verifier(make, latchkey)
    good = jwt.decode(sign_in(latchkey.port), SECRET, ["HS256"], issuer=latchkey.url)
    assert outcome(client, signed(**good)) == "good"
    assert outcome(client, signed(header=header, **{**good, **changes})) == expected


def test_a_session_may_be_dated_a_little_ahead(make: Make, latchkey: Server) -> None:
    client = verifier(make, latchkey)
    good = jwt.decode(sign_in(latchkey.port), SECRET, ["HS256"], issuer=latchkey.url)
    ahead = [outcome(client, signed(**good | {"auth_time": good["iat"] + n})) for n in (11, 12)]
    assert ahead == ["good", "token_invalid"]


@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b.c", "é.é.é", "....", "[" * 3000, f"{'W1tb' * 800}.e30.", "e30.e30.", "bnVsbA.."],
)
def test_what_is_no_token_is_refused(make: Make, latchkey: Server, token: str) -> None:
    assert outcome(verifier(make, latchkey), token) in ("token_invalid", "algorithm_invalid")


def test_unsigned_is_refused(make: Make, latchkey: Server) -> None:
    client = verifier(make, latchkey)
    good = jwt.decode(sign_in(latchkey.port), SECRET, ["HS256"], issuer=latchkey.url)
    for name in ("none", "None", "NONE", ""):
        unsigned = compact({"alg": name, "typ": "JWT"}, good, lambda _: b"")
        assert outcome(client, unsigned) == "token_invalid"
        token = compact({"alg": name, "typ": "JWT"}, good, lambda _: b"signature")
        assert outcome(client, token) == "algorithm_invalid"


def test_the_feed_itself_is_no_token(make: Make, latchkey: Server, issuer: Issuer) -> None:
    document = ask(latchkey.port, FEED_PATH).text
    assert outcome(verifier(make, latchkey), document) == "token_invalid"
    client = make(issuer.url)
    assert outcome(client, ED.sign(issuer.claims(), typ=FEED)) == "token_invalid"
    assert outcome(client, FEED_ED.sign(issuer.claims())) == "token_invalid"


def test_the_development_sign_in_is_refused_unless_asked_for(make: Make, latchkey: Server) -> None:
    token = sign_in(latchkey.port)
    assert outcome(make(latchkey.url, secrets=[SECRET]), token) == "token_invalid"


def test_the_previous_secret_still_verifies(make: Make, latchkey: Server) -> None:
    token = sign_in(latchkey.port)
    client = make(latchkey.url, secrets=[STRONG, SECRET], accept_bypass=True)
    assert outcome(client, token) == "good"
    assert outcome(make(latchkey.url, secrets=[STRONG], accept_bypass=True), token) != "good"


def test_a_short_secret_is_refused_at_the_start(make: Make, latchkey: Server) -> None:
    for secret in ("", "x" * 31):
        with pytest.raises(ValueError, match="32 bytes"):
            make(latchkey.url, secrets=[secret])


def test_the_audience_is_required(make: Make, start: Start) -> None:
    server = start(JWT_AUDIENCE="https://app.example.org")
    token = sign_in(server.port)
    assert outcome(verifier(make, server, audience="https://app.example.org"), token) == "good"
    assert outcome(verifier(make, server, audience="https://b.example"), token) == (
        "audience_invalid"
    )
    assert outcome(verifier(make, server), token) == "audience_invalid"


# What is remembered


def test_a_remembered_token_still_expires(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url)
    exp = int(time.time()) + 2
    token = EC.sign(issuer.claims(exp=exp))
    assert outcome(client, token) == "good"
    while time.time() < exp - 0.1:
        assert outcome(client, token) == "good"
    time.sleep(0.2)
    assert outcome(client, token) == "token_expired"


def test_remembered_tokens_are_bounded(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, remembered=8)
    tokens = [EC.sign(issuer.claims(jti=f"{number:022}")) for number in range(50)]
    assert {outcome(client, token) for token in tokens * 2} == {"good"}
    assert client.sizes()["tokens"] == 8
    assert {outcome(client, token[:-8] + "AAAAAAAA") for token in tokens} == {"token_invalid"}
    assert client.sizes()["tokens"] == 8
    assert outcome(make(issuer.url, remembered=0), tokens[0]) == "good"


def test_claims_are_the_callers_own(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url)
    token = EC.sign(issuer.claims())
    first = client.verify(token)
    assert isinstance(first, dict)
    first["roles"].append({"id": 9, "role": "root"})
    first["exp"] = 0
    second = client.verify(token)
    assert isinstance(second, dict)
    assert second["roles"] == issuer.claims()["roles"]


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "clients/javascript/package-lock.json").read_text())
    assert "resolved" not in json.dumps(lock)
    assert Path(os.fspath(latchkey_verifier.__file__)).parent == ROOT / "clients/python"
