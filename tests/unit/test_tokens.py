"""Tokens: what is issued is good anywhere, and what is good is taken."""

import json
import time
from typing import Any

import jwt
import pytest

from service import config, errors, keys
from service.tokens import issuer as tokens
from service.tokens import jws
from tests.support.environment import SECRET
from tests.support.handmade_tokens import (
    AUDIENCE,
    CLAIMS,
    GOOD,
    HEAD,
    HEADER,
    NO_FILE,
    NOW,
    OTHER_SECRET,
    USER,
    VERIFIER,
    claims,
    header,
    label,
    noted,
    refusal,
    segment,
    token,
    verifier,
)


def present(**changes: str) -> tokens.TokenIssuer:
    """Make a Tokens as the service does, on the clock of the machine."""
    read = config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY": SECRET, **changes}, NO_FILE)
    return noted(tokens.TokenIssuer(read, keys.load(read)))


# --- what is issued ---------------------------------------------------------------------------


def test_a_token_carries_the_user_and_the_registered_claims() -> None:
    text, issued = verifier(JWT_EXPIRES_IN="6h").issue(USER, amr=("bypass",))
    opaque = {name: issued[name] for name in ("jti", "sid")}
    assert jws.peek(text) == ({"alg": "HS256", "typ": "JWT"}, issued)
    assert issued == {
        **CLAIMS,
        **opaque,
        "exp": NOW + 6 * 3600,
        "amr": ["bypass"],
    }
    assert len({*opaque.values()}) == 2
    assert {len(value) for value in opaque.values()} == {22}


@pytest.mark.parametrize("audience", [None, AUDIENCE])
def test_an_ordinary_decoder_that_knows_only_the_secret_takes_the_token(
    audience: str | None,
) -> None:
    issuer = present(JWT_AUDIENCE=audience or "")
    text, issued = issuer.issue(USER, amr=("pwd",))
    assert issued.get("aud") == audience
    assert issuer.verify(text) == issued
    assert jwt.decode(text, SECRET, algorithms=["HS256"], audience=audience) == issued


def test_without_a_clock_of_ones_own_it_is_the_present() -> None:
    before = int(time.time())
    assert before <= present().now() <= time.time()


def test_two_tokens_of_one_user_are_two_sessions() -> None:
    (_, one), (_, other) = (VERIFIER.issue(USER, amr=("pwd",)) for _ in range(2))
    assert one["sid"] != other["sid"]
    assert one["jti"] != other["jti"]


@pytest.mark.parametrize(("asked", "granted"), [(60, 60), (900, 900), (901, 900), (10**9, 900)])
def test_a_token_may_live_shorter_than_a_session_and_never_longer(asked: int, granted: int) -> None:
    _, issued = verifier(JWT_EXPIRES_IN="15m").issue(USER, amr=("pwd",), expires_in=asked)
    assert issued["exp"] == NOW + granted


def test_a_token_has_at_most_3500_bytes() -> None:
    _, empty = VERIFIER.issue({**USER, "username": ""}, amr=("pwd",))
    room = 2564 - len(json.dumps(empty, separators=(",", ":")))  # 2,564 bytes in 3,419 characters
    largest, issued = VERIFIER.issue({**USER, "username": "u" * room}, amr=("pwd",))
    assert len(largest) == 3500
    assert VERIFIER.verify(largest) == issued
    with pytest.raises(errors.TokenTooLarge):
        VERIFIER.issue({**USER, "username": "u" * (room + 1)}, amr=("pwd",))


def test_the_refusal_of_a_token_that_is_too_large_names_the_user() -> None:
    roles = [{"id": number, "role": f"role_{number}"} for number in range(1, 200)]
    with pytest.raises(errors.TokenTooLarge, match="token_too_large") as refused:
        VERIFIER.issue({**USER, "roles": roles}, amr=("pwd",))
    assert "user admin has too many roles (199)" in refused.value.detail


def test_the_previous_secret_verifies_and_never_signs() -> None:
    rotated = verifier(JWT_SECRET_KEY=OTHER_SECRET, JWT_SECRET_KEY_PREVIOUS=SECRET)
    old, claimed = VERIFIER.issue(USER, amr=("pwd",))
    assert rotated.verify(old) == claimed
    for new, _ in (rotated.issue(USER, amr=("pwd",)), rotated.exchange(old, claimed)):
        assert rotated.verify(new)
        assert refusal(new) == "token_invalid"


# --- what is good -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(HEADER, id="ours"),
        pytest.param(b'{"typ":"JWT","alg":"HS256"}', id="the other order"),
        pytest.param(b'\n{ "alg" : "HS256",\t"typ" : "JWT" }\r\n', id="with whitespace"),
        pytest.param(b'{"\\u0061lg":"HS\\u003256","typ":"JWT"}', id="with escapes"),
    ],
)
def test_our_header_is_good_in_every_spelling_ofdump(head: bytes) -> None:
    assert VERIFIER.verify(token(head)) == CLAIMS


@pytest.mark.parametrize(
    "changes",
    [
        {"roles": []},
        {"id": 2**63 - 1, "sub": str(2**63 - 1)},
        {"ver": 2**62 - 1},
        {"auth_time": NOW + 11},
        {"auth_time": 0},
        {"sid": "-" * 8, "jti": "_" * 64},
        {"amr": ["pwd", "otp"]},
        {"amr": ["bypass"]},
        {"nbf": 0},
        {"username": "\u30e6\u30fc\u30b6\u30fc \U0001f600"},
        {"of": {"a": ["later", "version"]}},
    ],
    ids=label,
)
def test_good_claims_come_back_as_they_are(changes: dict[str, Any]) -> None:
    assert VERIFIER.verify(token(payload=claims(**changes))) == {**CLAIMS, **changes}


@pytest.mark.parametrize(
    ("now", "changes"),
    [
        (NOW, {"exp": NOW + 1}),
        (NOW + 0.999, {"exp": NOW + 1}),
        (NOW, {"exp": 253402300799}),
        (NOW, {"iat": NOW + 5}),
        (NOW, {"nbf": NOW + 5}),
        (NOW + 0.001, {"iat": 0, "nbf": NOW + 5, "auth_time": 11}),
    ],
    ids=label,
)
def test_a_token_is_good_up_to_the_edge_of_its_time(now: float, changes: dict[str, Any]) -> None:
    assert verifier(now).verify(token(payload=claims(**changes))) == {**CLAIMS, **changes}


@pytest.mark.parametrize(
    ("now", "changes", "code"),
    [
        (NOW, {"exp": NOW}, "token_expired"),
        (NOW + 1.001, {"exp": NOW + 1}, "token_expired"),
        (NOW, {"exp": NOW - 4}, "token_expired"),
        (NOW, {"exp": 0}, "token_expired"),
        (NOW, {"iat": NOW + 6}, "token_invalid"),
        (NOW, {"nbf": NOW + 6}, "token_invalid"),
        (NOW + 0.999, {"iat": NOW + 6}, "token_invalid"),
        (NOW + 0.999, {"nbf": NOW + 6}, "token_invalid"),
    ],
    ids=label,
)
def test_a_token_is_refused_beyond_the_edge_of_its_time(
    now: float, changes: dict[str, Any], code: str
) -> None:
    assert refusal(token(payload=claims(**changes)), by=verifier(now)) == code


# --- for people -----------------------------------------------------------------------------------


def test_peeking_shows_a_token_that_nobody_vouches_for() -> None:
    forged = token(header(alg="none"), claims(exp=0), secret=OTHER_SECRET)
    assert jws.peek(forged) == ({"alg": "none", "typ": "JWT"}, {**CLAIMS, "exp": 0})


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", f"{GOOD}\n", f"{HEAD}.{segment(b'[]')}.AA"])
def test_peeking_at_something_else_is_refused(text: str) -> None:
    with pytest.raises(errors.TokenInvalid):
        jws.peek(text)
