"""Hostile tokens that no table can list: whatever is changed, it is refused."""

import json
from itertools import product
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service import errors
from tests.support.handmade_tokens import (
    BASE64URL,
    CLAIMS,
    GOOD,
    HEADER,
    USER,
    VERIFIER,
    claims,
    header,
    refusal,
    token,
)
from tests.support.thoroughness import some

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)
quick = settings(max_examples=some(150))


def test_no_single_character_can_be_changed() -> None:
    good, _ = VERIFIER.issue({**USER, "roles": []}, amr=("pwd",))
    accepted = []
    for at, character in product(range(len(good)), f"{BASE64URL}.=+/ "):
        changed = good[:at] + character + good[at + 1 :]
        try:
            VERIFIER.verify(changed)
        except errors.Unauthenticated:
            continue
        accepted.append(changed)
    assert set(accepted) == {good}


@quick
@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)), st.text())
def test_nothing_can_be_cut_out_or_put_in(start: int, stop: int, text: str) -> None:
    spliced = GOOD[:start] + text + GOOD[stop:]
    assume(spliced != GOOD)
    assert refusal(spliced) in {"token_invalid", "algorithm_invalid"}


@quick
@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}\n?", fullmatch=True))
def test_arbitrary_text_is_refused_and_does_nothing_worse(text: str) -> None:
    assert refusal(text) in {"token_invalid", "algorithm_invalid"}


@quick
@given(st.binary(max_size=99), st.binary(max_size=99))
def test_arbitrary_bytes_are_refused_though_rightly_signed(head: bytes, payload: bytes) -> None:
    assume(head and payload)
    assert refusal(token(payload=payload)) == "token_invalid"
    assert refusal(token(head)) in {"token_invalid", "algorithm_invalid"}


@quick
@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64"]), JSON))
def test_no_other_header_is_good_and_none_does_anything_worse(members: dict[str, Any]) -> None:
    head = header(**members)
    assume(json.loads(head) != json.loads(HEADER))
    assert refusal(token(head)) in {"token_invalid", "algorithm_invalid"}


@quick
@given(st.dictionaries(st.sampled_from([*CLAIMS, "aud", "nbf", "more"]), JSON, max_size=2))
def test_claims_of_any_shape_are_refused_or_read_as_they_are(changes: dict[str, Any]) -> None:
    payload = claims(**changes)
    try:
        read = VERIFIER.verify(token(payload=payload))
    except errors.Unauthenticated:
        return
    assert read == json.loads(payload)
