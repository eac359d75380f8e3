"""The verifiers in clients/ read the feed: pages, bad documents, restored databases."""

import time
from collections.abc import Callable
from typing import Any

import latchkey_verifier
import pytest

from tests.support.clients import EC, ED, FEED_ED, FEED_PATH, STRANGER, issuer
from tests.support.issuer import FEED, Claims, Issuer, compact
from tests.support.verifiers import Make, outcome, seconds_until

__all__ = ["issuer"]

STORES = ("sqlite",)  # no store has a part in this


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
