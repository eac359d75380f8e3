"""The verifiers in clients/ accept, refuse and forget as they should, each against a server."""

import hashlib
import hmac
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import latchkey_verifier
import pytest

from tests.support.client import ask, bearer, sign_in
from tests.support.environment import ROOT, SECRET, STRONG, free_port
from tests.support.issuer import FEED, Claims, Issuer, compact, feed_signer, signer
from tests.support.servers import Server, Start
from tests.support.verifiers import Client, Make, outcome, seconds_until

STORES = ("sqlite",)  # no store has a part in this

FEED_PATH, KEYS_PATH = "/auth/revocations", "/.well-known/jwks.json"
ED, EC, RSA, STRANGER = signer("ed", "EdDSA"), signer("ec"), signer("rsa", "RS256"), signer("ec")
FEED_ED = feed_signer(ED)


@pytest.fixture(scope="module")
def latchkey(start: Start) -> Server:
    """Return a server of our own: users are changed in it."""
    return start()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Yield an issuer with a key of each kind; it signs its feed with the first."""
    issuer = Issuer(ED, EC, RSA)
    issuer.feed[0] = FEED_ED
    yield issuer
    issuer.close()


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
        fresh = ask(latchkey.port, "/auth/token", headers=bearer(token)).json["token"]
        current = client.verify(fresh)
        assert isinstance(current, dict)
        assert not current["stale_roles"]
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
        token = compact({"alg": name, "typ": "JWT"}, good, lambda _: b"")
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


# With published keys


@pytest.mark.parametrize("key", [ED, EC, RSA], ids=lambda key: key.algorithm)
def test_published_keys_verify(make: Make, issuer: Issuer, key: Any) -> None:
    feed = issuer.feed[[ED, EC, RSA].index(key)]
    issuer.sealed = lambda claims: feed.sign(claims, typ=FEED)
    issuer.rows = [["session", "r" * 22, int(time.time()) + 600]]
    client = make(issuer.url)
    token = key.sign(issuer.claims())
    assert client.verify(token) == {
        **issuer.claims(),
        **jwt.decode(token, options={"verify_signature": False}),
        "stale_roles": False,
    }
    assert outcome(client, key.sign(issuer.claims(sid="r" * 22))) == "token_revoked"
    assert outcome(client, key.sign(issuer.claims(exp=1))) == "token_expired"
    assert outcome(client, key.sign(issuer.claims(iss="https://b.example"))) == "issuer_invalid"
    assert outcome(client, key.sign(issuer.claims())[:-8] + "AAAAAAAA") == "token_invalid"


@pytest.mark.parametrize("key", [ED, EC, RSA], ids=lambda key: key.algorithm)
def test_a_public_key_is_no_secret(make: Make, issuer: Issuer, key: Any) -> None:
    client = make(issuer.url)
    header = {"alg": "HS256", "typ": "JWT", "kid": key.kid}
    for secret in (key.pem, key.pem.strip(), json.dumps(key.jwk).encode()):
        token = compact(
            header,
            issuer.claims(),
            lambda text: hmac.digest(secret, text, "sha256"),  # noqa: B023
        )
        assert outcome(client, token) == "algorithm_invalid"


def test_a_key_is_pinned_to_its_algorithm_and_name(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url)
    claims = issuer.claims()
    assert outcome(client, EC.sign(claims)) == "good"
    assert outcome(client, EC.sign(claims, kid="rsa")) == "token_invalid"
    assert outcome(client, EC.sign(claims, kid="ed")) == "token_invalid"
    assert outcome(client, STRANGER.sign(claims)) == "token_invalid"
    assert outcome(client, EC.sign(claims, jwk=STRANGER.jwk)) == "token_invalid"
    nameless = jwt.encode(claims, EC.private, "ES256")
    assert outcome(client, nameless) == "token_invalid"
    unsigned = compact({"alg": "none", "typ": "JWT", "kid": "ec"}, claims, lambda _: b"")
    assert outcome(client, unsigned) == "algorithm_invalid"


def test_unknown_keys_are_asked_for_once_a_minute(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=3)
    began = time.monotonic()
    while time.monotonic() - began < 5:
        token = EC.sign(issuer.claims(), kid=f"unknown-{time.monotonic_ns()}")
        assert outcome(client, token) == "token_invalid"
        assert outcome(client, EC.sign(issuer.claims())) == "good"
    assert issuer.count(KEYS_PATH) == 2  # at the start, and once


def test_known_keys_are_not_asked_for(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=0)
    assert outcome(client, EC.sign(issuer.claims())) == "good"
    time.sleep(1.2)
    assert issuer.count(KEYS_PATH) == 1


def test_a_new_key_counts_soon_after_its_first_token(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=1)
    for kid in ("first", "second"):
        fresh = signer(kid)
        issuer.published.append(fresh)
        seconds_until(client, fresh.sign(issuer.claims()), "good", at_most=2)
    assert issuer.count(KEYS_PATH) == 3


def test_the_feed_may_be_signed_by_a_new_key(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=1)
    late = signer("late")
    issuer.feed.append(late)
    issuer.sealed = lambda claims: late.sign(claims, typ=FEED)
    issuer.rows = [["session", "r" * 22, int(time.time()) + 600]]
    seconds_until(client, EC.sign(issuer.claims(sid="r" * 22)), "token_revoked", at_most=3)


def test_a_key_that_is_gone_counts_no_longer(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=1)
    token, fresh = EC.sign(issuer.claims()), signer("fresh")
    assert outcome(client, token) == "good"
    issuer.published[1] = fresh
    seconds_until(client, fresh.sign(issuer.claims()), "good", at_most=2)
    assert outcome(client, token) == "token_invalid"


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


def test_rows_are_forgotten_when_no_token_can_need_them(make: Make, issuer: Issuer) -> None:
    now = int(time.time())
    issuer.rows = [
        ["session", "r" * 22, now + 2],
        ["revoked", 1, 2, now + 2],
        ["changed", 2, 2, now + 2],
        ["session", "t" * 22, now + 600],
    ]
    client = make(issuer.url)
    assert client.sizes()["rows"] == 4
    time.sleep(max(0, now + 2 - time.time()))
    issuer.rows.append(["revoked", 3, 2, now + 600])
    began = time.monotonic()
    while client.sizes()["rows"] != 2:
        assert time.monotonic() - began < 2


# The feed


def test_versions_below_are_refused_and_above_are_good(make: Make, issuer: Issuer) -> None:
    until = int(time.time()) + 600
    issuer.rows = [["revoked", 1, 5, until], ["changed", 1, 7, until], ["revoked", 1, 4, until]]
    issuer.rows += [["revoked", 2, 2**62, until]]
    client = make(issuer.url)
    assert outcome(client, EC.sign(issuer.claims(ver=4))) == "token_revoked"
    for ver, stale in ((5, True), (6, True), (7, False)):
        seen = client.verify(EC.sign(issuer.claims(ver=ver)))
        assert isinstance(seen, dict)
        assert seen["stale_roles"] is stale
        assert seen.get("username") == (None if stale else issuer.claims()["username"])
    assert outcome(client, EC.sign(issuer.claims(id=2, sub="2", ver=10**9))) == "token_revoked"


@pytest.mark.parametrize("page", [1, 2, 3, 10_000])
def test_pages_are_followed_at_once(make: Make, issuer: Issuer, page: int) -> None:
    issuer.page = page
    issuer.rows = [["session", f"{n:022}", int(time.time()) + 600] for n in range(6)]
    client = make(issuer.url)
    assert client.sizes()["rows"] == 6
    assert outcome(client, EC.sign(issuer.claims(sid=f"{5:022}"))) == "token_revoked"


def test_a_reading_that_was_cut_off_goes_on_where_it_ended(make: Make, issuer: Issuer) -> None:
    issuer.page = 1
    issuer.rows = [["session", f"{n:022}", int(time.time()) + 600] for n in range(6)]
    issuer.statuses = {3: 503}
    read: list[int] = []

    def note(claims: dict[str, Any]) -> dict[str, Any]:
        read.append(claims["since"])
        return claims

    issuer.spoil = note
    client = make(issuer.url)
    good = EC.sign(issuer.claims())
    assert outcome(client, good) == "feed_stale"
    assert (read.count(0), read.count(2)) == (1, 1)
    issuer.statuses = {}
    began = time.monotonic()
    while outcome(client, good) == "feed_stale":
        assert time.monotonic() - began < 3
    assert outcome(client, EC.sign(issuer.claims(sid=f"{0:022}"))) == "token_revoked"
    assert outcome(client, EC.sign(issuer.claims(sid=f"{5:022}"))) == "token_revoked"
    assert client.sizes()["rows"] == 6
    assert (read.count(0), read.count(2)) == (1, 1)


def test_a_reading_that_was_cut_off_before_a_bad_document_begins_anew(
    make: Make, issuer: Issuer
) -> None:
    issuer.page = 1
    issuer.rows = [["session", f"{n:022}", int(time.time()) + 600] for n in range(6)]
    issuer.spoil = lambda claims: {**claims, "aud": "x"} if claims["since"] == 3 else claims
    read: list[int] = []

    def note(claims: dict[str, Any]) -> dict[str, Any]:
        read.append(claims["since"])
        return claims

    client = make(issuer.url)
    good = EC.sign(issuer.claims())
    assert outcome(client, good) == "feed_stale"
    issuer.spoil = note
    began = time.monotonic()
    while outcome(client, good) == "feed_stale":
        assert time.monotonic() - began < 3
    assert client.sizes()["rows"] == 6
    assert read[:6] == [0, 1, 2, 3, 4, 5]


def test_unchanged_is_a_304_and_twice_a_second(make: Make, issuer: Issuer) -> None:
    make(issuer.url)
    time.sleep(2.2)
    assert issuer.count(FEED_PATH, 200) == 1
    assert issuer.count(FEED_PATH, 304) in range(2, 6)


def test_a_304_that_nobody_asked_for_keeps_nobody_fresh(make: Make, issuer: Issuer) -> None:
    issuer.statuses = {None: 304}
    assert outcome(make(issuer.url), EC.sign(issuer.claims())) == "feed_stale"


def test_another_database_replaces_what_was_known(make: Make, issuer: Issuer) -> None:
    until = int(time.time()) + 600
    issuer.rows = [["session", f"{n:022}", until] for n in range(6)]
    client = make(issuer.url)
    old, new = EC.sign(issuer.claims(sid=f"{5:022}")), EC.sign(issuer.claims(sid="n" * 22))
    assert (outcome(client, old), outcome(client, new)) == ("token_revoked", "good")
    # Until all pages of the other one are here, what is known stays in force.
    issuer.page = 1
    issuer.statuses = {1: 503}
    issuer.rows = [["session", "m" * 22, until], ["session", "n" * 22, until]]
    time.sleep(1.2)
    assert (outcome(client, old), outcome(client, new)) == ("token_revoked", "good")
    issuer.statuses = {}
    seconds_until(client, new, "token_revoked", at_most=2)
    assert outcome(client, old) == "good"


def other(**changes: Any) -> Callable[[Claims], Claims]:
    """Return what puts other claims into a document of the feed."""
    return lambda claims: {**claims, **changes}


def emptied(claims: Claims) -> Claims:
    """Say that nothing was ever taken back."""
    return {**claims, "since": 0, "next": 0, "changes": []}


def without(name: str) -> Callable[[Claims], Claims]:
    """Return what takes a claim away, and says that nothing was ever taken back."""
    return lambda claims: {each: value for each, value in emptied(claims).items() if each != name}


SPOILT: dict[str, tuple[Callable[[Claims], Claims], Callable[[Claims], str] | None]] = {
    "an older place": (other(next=1), None),
    "an answer to another question": (other(since=1), None),
    "more, and no further": (
        lambda claims: {**claims, "next": claims["since"], "more": True},
        None,
    ),
    "an old document": (lambda claims: {**emptied(claims), "iat": claims["iat"] - 90}, None),
    "another issuer": (lambda claims: {**emptied(claims), "iss": "https://b.example"}, None),
    "a row of an unknown kind": (other(changes=[[9, "unheard", "x", 2**40]]), None),
    "signed by a stranger": (emptied, lambda claims: STRANGER.sign(claims, typ=FEED)),
    "a session's type": (emptied, lambda claims: FEED_ED.sign(claims, typ="JWT")),
    "signed by a key of tokens": (emptied, lambda claims: ED.sign(claims, typ=FEED)),
    "for another audience": (lambda claims: {**emptied(claims), "aud": "app.example.org"}, None),
    "for two audiences": (
        lambda claims: {**emptied(claims), "aud": [claims["aud"], "app.example.org"]},
        None,
    ),
    "without an audience": (without("aud"), None),
    "without an end": (without("exp"), None),
    "expired": (lambda claims: {**emptied(claims), "exp": claims["iat"] - 1}, None),
    "not signed": (
        emptied,
        lambda claims: compact(
            {"alg": "none", "typ": FEED, "kid": "feed-ed"}, claims, lambda _: b""
        ),
    ),
    "not a document": (emptied, lambda _: "{}"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_bad_document_changes_nothing_and_grows_stale(
    make: Make, issuer: Issuer, how: str
) -> None:
    until = int(time.time()) + 600
    issuer.rows = [["session", "r" * 22, until], ["session", "t" * 22, until]]
    client = make(issuer.url, max_staleness=1.5)
    good, gone = EC.sign(issuer.claims()), EC.sign(issuer.claims(sid="r" * 22))
    assert (outcome(client, good), outcome(client, gone)) == ("good", "token_revoked")
    sealed, spoil = issuer.sealed, issuer.spoil
    issuer.spoil, seal = SPOILT[how]
    issuer.sealed = seal or sealed
    issuer.rows.append(["session", "u" * 22, until])
    while (seen := outcome(client, good)) != "feed_stale":
        assert seen == "good"
        assert outcome(client, gone) in ("token_revoked", "feed_stale")
    issuer.spoil, issuer.sealed = spoil, sealed
    seconds_until(client, good, "good")
    assert outcome(client, gone) == "token_revoked"
    assert outcome(client, EC.sign(issuer.claims(sid="u" * 22))) == "token_revoked"


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "clients/javascript/package-lock.json").read_text())
    assert "resolved" not in json.dumps(lock)
    assert Path(os.fspath(latchkey_verifier.__file__)).parent == ROOT / "clients/python"


# What the feed says of all tokens


def test_a_token_that_outlives_revocations_is_refused(make: Make, issuer: Issuer) -> None:
    issuer.covered = {"max_life": 600}
    now = int(time.time()) - 10
    fits = EC.sign(issuer.claims(iat=now, exp=now + 600))
    longer = EC.sign(issuer.claims(iat=now, exp=now + 601))
    client = make(issuer.url)
    assert (outcome(client, fits), outcome(client, longer)) == ("good", "token_invalid")
    # A lifetime that is newer than the feed: a 503 until it is read, and no 401.
    now = int(time.time())
    fresh = EC.sign(issuer.claims(iat=now, exp=now + 3600))
    assert outcome(client, fresh) == "feed_stale"
    issuer.covered = {"max_life": 3600}
    seconds_until(client, fresh, "good", at_most=2)
    assert outcome(client, longer) == "good"


@pytest.mark.parametrize(
    "covered",
    [
        {},
        {"max_life": 3600, "not_before": "x"},
        {"max_life": 3600, "pruned_until": "x"},
        {"max_life": 3600, "pruned_until": None},
    ],
)
def test_a_feed_that_says_of_no_lifetime_or_moment_is_not_believed(
    make: Make, issuer: Issuer, covered: Claims
) -> None:
    issuer.covered = covered
    assert outcome(make(issuer.url), EC.sign(issuer.claims())) == "feed_stale"


def test_tokens_from_before_a_moment_are_refused(make: Make, issuer: Issuer) -> None:
    now = int(time.time())
    issuer.covered = {"max_life": 3600, "not_before": now - 10}
    before, after = (EC.sign(issuer.claims(iat=now - age)) for age in (11, 10))
    client = make(issuer.url)
    assert (outcome(client, before), outcome(client, after)) == ("token_revoked", "good")
    before, after = (EC.sign(issuer.claims(auth_time=now - age)) for age in (11, 10))
    assert (outcome(client, before), outcome(client, after)) == ("token_revoked", "good")


def test_what_expired_before_the_feed_was_pruned_is_refused_by_a_slow_clock(
    make: Make, issuer: Issuer
) -> None:
    claims = issuer.claims()
    issuer.covered = {"max_life": 3600, "pruned_until": claims["exp"]}
    client = make(issuer.url)
    assert outcome(client, EC.sign(claims)) == "token_expired"
    assert outcome(client, EC.sign({**claims, "exp": claims["exp"] + 1})) == "good"


def test_a_fast_clock_forgets_nothing_before_the_feed_is_pruned(make: Make, issuer: Issuer) -> None:
    claims, until = issuer.claims(), int(time.time()) - 1  # by a clock that was fast, all is over
    issuer.rows = [["session", claims["sid"], until], ["session", "t" * 22, until + 600]]
    issuer.covered = {"max_life": 3600, "pruned_until": until - 1}
    client, token = make(issuer.url), EC.sign(claims)
    assert (client.sizes()["rows"], outcome(client, token)) == (2, "token_revoked")
    issuer.covered = {"max_life": 3600, "pruned_until": until}
    began = time.monotonic()
    while client.sizes()["rows"] != 1:
        assert time.monotonic() - began < 2


def test_one_verification_knows_one_reading_of_the_feed(issuer: Issuer) -> None:
    """Another thread reads the feed in the middle of it, after a restore with reused numbers."""
    claims = issuer.claims()
    issuer.rows = [["session", claims["sid"], claims["exp"]]]
    verifier = latchkey_verifier.Verifier(issuer.url)
    verifier._poll()
    read: list[str] = []

    class Interrupted(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            if name == "exp" and not read:
                read.append(name)
                issuer.covered = {"max_life": 21_600, "not_before": claims["iat"] + 6}
                issuer.rows = [["revoked", 9, 9, claims["exp"]]]
                verifier._poll()
            return super().__getitem__(name)

    verifier._remember = lambda _token: Interrupted(claims)  # type: ignore[assignment]
    for _ in range(2):  # by its row, and then by the moment
        with pytest.raises(latchkey_verifier.Refused, match="token_revoked"):
            verifier.verify("")
    assert read
    verifier._latchkey.close()


def test_a_reading_that_fails_half_way_changes_nothing(make: Make, issuer: Issuer) -> None:
    claims, until = issuer.claims(), int(time.time()) + 600
    client = make(issuer.url)
    assert client.sizes()["rows"] == 0
    issuer.page, issuer.statuses = 1, {1: 503}
    issuer.rows = [["session", sid, until] for sid in ("r" * 22, claims["sid"])]
    time.sleep(1.2)
    assert client.sizes()["rows"] == 0
    issuer.statuses = {}
    seconds_until(client, EC.sign(claims), "token_revoked", at_most=2)
    assert client.sizes()["rows"] == 2


def test_a_restored_database_takes_no_moment_back(make: Make, issuer: Issuer) -> None:
    claims = issuer.claims()
    issuer.rows = [["session", "t" * 22, claims["exp"]]]
    issuer.covered = {"max_life": 3600, "not_before": claims["iat"] + 1}
    client = make(issuer.url)
    assert outcome(client, EC.sign(claims)) == "token_revoked"
    issuer.covered = {"max_life": 3600, "not_before": 0, "pruned_until": claims["exp"] - 1}
    issuer.rows = []
    began = time.monotonic()
    while client.sizes()["rows"] != 0:
        assert time.monotonic() - began < 2
    assert outcome(client, EC.sign(claims)) == "token_revoked"


def test_rows_with_the_numbers_of_lost_rows_are_read_after_a_restore(
    make: Make, issuer: Issuer
) -> None:
    claims = issuer.claims()
    token, until = EC.sign(claims), claims["exp"]
    issuer.rows = [["session", "t" * 22, until], ["session", "u" * 22, until]]
    client = make(issuer.url)
    assert outcome(client, token) not in {"token_revoked", "token_invalid"}
    issuer.covered = {"max_life": 21_600, "not_before": claims["iat"] - 10}
    issuer.rows = [["session", sid, until] for sid in (claims["sid"], "v" * 22, "w" * 22)]
    began = time.monotonic()
    while outcome(client, token) != "token_revoked":
        assert time.monotonic() - began < 2
