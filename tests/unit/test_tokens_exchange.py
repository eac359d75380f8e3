"""Exchanged tokens belong to their session: they end with it, and win no time."""

from typing import Any

import pytest

from service import errors
from service.keys import key_ring
from service.keys import shared_secret as secret
from tests.support.handmade_tokens import (
    ABSENT,
    NOW,
    OTHER_SECRET,
    USER,
    VERIFIER,
    claims,
    refusal,
    token,
    verifier,
)


def test_an_exchanged_token_belongs_to_the_session_and_ends_with_it() -> None:
    given, issued = VERIFIER.issue(USER, amr=("otp",))
    before = dict(issued)
    text, exchanged = verifier(NOW + 100).exchange(given, issued)
    fresh = {"iat": NOW + 100, "jti": exchanged["jti"]}
    assert exchanged == {**issued, **fresh}
    assert exchanged["jti"] != issued["jti"]
    assert issued == before
    assert verifier(issued["exp"] - 1).verify(text) == exchanged
    assert refusal(text, by=verifier(issued["exp"])) == "token_expired"


def test_exchanging_does_not_renew_the_time_of_the_sign_in() -> None:
    text, issued = VERIFIER.issue(USER, amr=("pwd",))
    assert issued["auth_time"] == NOW
    _, exchanged = verifier(NOW + 100).exchange(text, issued)
    assert (exchanged["iat"], exchanged["auth_time"]) == (NOW + 100, NOW)
    old = token(payload=claims(exp=NOW + 200, auth_time=ABSENT))  # of an older version
    _, exchanged = verifier(NOW + 100).exchange(old, VERIFIER.verify(old))
    assert exchanged["iat"] == NOW
    assert "auth_time" not in exchanged


@pytest.mark.parametrize("moment", [0, NOW - 1, NOW + 6, NOW + 11, NOW + 12])
@pytest.mark.parametrize("dated", [ABSENT, NOW - 1, NOW, NOW + 5, NOW + 16])
@pytest.mark.parametrize("iat", [NOW - 1, NOW, NOW + 5])
def test_no_exchanged_token_is_of_a_later_session_than_a_new_one(
    iat: int, dated: Any, moment: int
) -> None:
    """Else a sign-out of all users would miss it."""
    exchanging = verifier()
    exchanging.not_before = moment
    given = token(payload=claims(iat=iat, exp=NOW + 60, auth_time=dated))
    if dated is not ABSENT and dated > iat + 11:
        assert refusal(given, by=exchanging) == "token_invalid"
        return
    before = exchanging.verify(given)
    text, exchanged = exchanging.exchange(given, before)
    _, new = exchanging.issue(USER, amr=("pwd",))
    began = exchanged.get("auth_time", exchanged["iat"])
    assert began == min(before.get("auth_time", iat), new["auth_time"])
    assert exchanged["exp"] - exchanged["iat"] <= before["exp"] - before["iat"]
    assert exchanging.verify(text) == exchanged


@pytest.mark.parametrize(("ahead", "dated"), [(-1, 0), (0, 0), (6, 6), (11, 11), (12, 0)])
def test_a_sign_in_is_dated_by_a_moment_that_lies_a_little_ahead(ahead: int, dated: int) -> None:
    issuer = verifier()
    issuer.not_before = NOW + ahead
    _, issued = issuer.issue(USER, amr=("pwd",))
    assert (issued["iat"], issued["auth_time"]) == (NOW, NOW + dated)


def test_exchanging_again_and_again_wins_no_time() -> None:
    text, first = VERIFIER.issue(USER, amr=("pwd",))
    last = first
    for later in range(1000, 21_000, 1000):
        text, last = verifier(NOW + later).exchange(text, last)
    assert (last["sid"], last["exp"]) == (first["sid"], first["exp"])


def test_a_token_whose_key_is_gone_is_not_exchanged() -> None:
    ours = verifier()
    text, issued = ours.issue(USER, amr=("pwd",))
    ours.verify(text)
    ours.use(key_ring.of(secret.read(OTHER_SECRET)))
    with pytest.raises(errors.TokenInvalid):
        ours.exchange(text, issued)
