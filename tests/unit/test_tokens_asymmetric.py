"""Hostile tokens against asymmetric keys: `kid` and `alg` choose the key, and nothing else does."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from service import errors
from service.keys import Purpose, jwk, key_ring, shared_secret
from service.keys.key_ring import KeyRing
from service.tokens import issuer as tokens
from service.tokens import jws
from tests.support.environment import SECRET
from tests.support.handmade_tokens import (
    AUDIENCE,
    CLAIMS,
    ISSUER,
    NOW,
    USER,
    claims,
    segment,
    verifier,
)

KIDS = {name: f"the-{name}-key" for name in jwk.ALGORITHMS}
JWKS = {name: jwk.generate(name) for name in jwk.ALGORITHMS}
KEYS = {name: jwk.read(JWKS[name], KIDS[name]) for name in jwk.ALGORITHMS}
STRANGERS = {name: jwk.read(jwk.generate(name), KIDS[name]) for name in jwk.ALGORITHMS}
PRIVATE = {name: jwt.get_algorithm_by_name(name).from_jwk(JWKS[name]) for name in jwk.ALGORITHMS}
SIZES = {"EdDSA": 64, "ES256": 64, "RS256": 384}
ALL = pytest.mark.parametrize("name", jwk.ALGORITHMS)

Sign = Callable[[bytes], bytes]


def using(keys: KeyRing, audience: str = "") -> tokens.TokenIssuer:
    """Make a Tokens with these keys, whose clock stands still."""
    made = verifier(JWT_AUDIENCE=audience)
    made.use(keys)
    return made


EVERY = using(key_ring.of(*KEYS.values(), shared_secret.read(SECRET)))
ALONE = {name: using(key_ring.of(key)) for name, key in KEYS.items()}


def header(name: str, **changes: Any) -> bytes:
    """Write the header of a good token, with some parameters changed, or left out for `...`."""
    members = {"alg": name, "kid": KIDS[name], "typ": "JWT", **changes}
    return json.dumps({key: value for key, value in members.items() if value is not ...}).encode()


def token(head: bytes, sign: Sign, payload: bytes = claims()) -> str:
    """Build a token by hand."""
    signed = f"{segment(head)}.{segment(payload)}"
    return f"{signed}.{segment(sign(signed.encode()))}"


def refusal(text: str, by: tokens.TokenIssuer = EVERY) -> str:
    with pytest.raises(errors.Unauthenticated) as refused:
        by.verify(text)
    return refused.value.code


def hs256(key: bytes) -> Sign:
    return lambda message: hmac.digest(key, message, "sha256")


# --- what is issued -----------------------------------------------------------------------------


@ALL
def test_a_token_names_its_key_and_any_decoder_takes_it(name: str) -> None:
    text, issued = using(key_ring.of(KEYS[name]), audience=AUDIENCE).issue(USER, amr=("pwd",))
    head = base64.urlsafe_b64decode(text.partition(".")[0] + "==")
    assert head.decode() == f'{{"alg":"{name}","kid":"{KIDS[name]}","typ":"JWT"}}'
    public = PRIVATE[name].public_key()
    options: Any = {"verify_iat": False, "verify_exp": False}
    read = jwt.decode(
        text, public, algorithms=[name], audience=AUDIENCE, issuer=ISSUER, options=options
    )
    assert read == issued
    assert len(base64.urlsafe_b64decode(text.rpartition(".")[2] + "==")) == SIZES[name]


@ALL
def test_what_was_issued_is_good_while_its_key_is_there(name: str) -> None:
    text, issued = ALONE[name].issue(USER, amr=("pwd",))
    assert ALONE[name].verify(text) == issued
    assert EVERY.verify(text) == issued
    exchanged, _ = EVERY.exchange(text, issued)
    assert jws.peek(exchanged)[0]["kid"] == KIDS["EdDSA"]
    for other in jwk.ALGORITHMS:
        if other != name:
            assert refusal(text, ALONE[other]) == "algorithm_invalid"


def test_the_keys_can_be_changed_while_tokens_are_out() -> None:
    moving = using(key_ring.of(KEYS["EdDSA"]))
    old, issued = moving.issue(USER, amr=("pwd",))
    moving.use(key_ring.of(KEYS["ES256"], KEYS["EdDSA"]))
    new, _ = moving.issue(USER, amr=("pwd",))
    assert [jws.peek(text)[0]["alg"] for text in (old, new)] == ["EdDSA", "ES256"]
    assert moving.verify(old) == issued
    moving.use(key_ring.of(KEYS["ES256"]))
    assert refusal(old, moving) == "algorithm_invalid"
    moving.use(key_ring.of(jwk.read(jwk.generate("EdDSA"), "another"), KEYS["ES256"]))
    assert refusal(old, moving) == "token_invalid"
    assert moving.verify(new)


def test_going_from_a_secret_to_a_key_and_back_signs_nobody_out() -> None:
    shared = shared_secret.read(SECRET)
    before, after = (
        using(key_ring.of(shared, KEYS["EdDSA"])),
        using(key_ring.of(KEYS["EdDSA"], shared)),
    )
    for issuer in (before, after):
        text, issued = issuer.issue(USER, amr=("pwd",))
        assert before.verify(text) == after.verify(text) == issued
    assert jws.peek(before.issue(USER, amr=("pwd",))[0])[0] == {"alg": "HS256", "typ": "JWT"}


# --- hostile headers ----------------------------------------------------------------------------


@ALL
def test_our_header_is_good_in_every_spelling(name: str) -> None:
    kid = KIDS[name]
    for head in (
        header(name),
        f'{{"typ":"JWT","kid":"{kid}","alg":"{name}"}}'.encode(),
        f'\n{{ "alg": "{name}",\t"\\u006bid": "{kid}", "typ": "JWT" }}'.encode(),
    ):
        assert EVERY.verify(token(head, KEYS[name].session.sign)) == CLAIMS


@ALL
@pytest.mark.parametrize("kid", ["", "another", "the-", "THE-EDDSA-KEY", "../../dev/null", "*"])
def test_a_foreign_kid_is_refused_whoever_signed(name: str, kid: str) -> None:
    assert refusal(token(header(name, kid=kid), KEYS[name].session.sign)) == "token_invalid"
    assert refusal(token(header(name, kid=kid), hs256(SECRET.encode()))) == "token_invalid"


@ALL
@pytest.mark.parametrize("kid", [None, 1, True, [], ["a"], {}, {"kid": "a"}], ids=repr)
def test_a_kid_that_is_no_text_is_refused(name: str, kid: Any) -> None:
    for by in (EVERY, ALONE[name]):
        assert refusal(token(header(name, kid=kid), KEYS[name].session.sign), by) == "token_invalid"


@ALL
def test_a_token_without_kid_is_only_one_of_a_secret(name: str) -> None:
    bare = token(header(name, kid=...), KEYS[name].session.sign)
    assert refusal(bare) == "algorithm_invalid"
    assert refusal(bare, ALONE[name]) == "token_invalid"


@ALL
def test_the_kid_of_a_key_and_another_algorithm_is_refused_whatever_signed(name: str) -> None:
    for other in (*jwk.ALGORITHMS, "HS256"):
        if other == name:
            continue
        head = header(name, alg=other)
        for sign in (
            KEYS[name].session.sign,
            KEYS.get(other, shared_secret.read(SECRET)).session.sign,
        ):
            assert refusal(token(head, sign)) == "algorithm_invalid"


@ALL
@pytest.mark.parametrize(
    "algorithm",
    [
        *("none", "None", "", "HS384", "PS256", "RS384", "RS512", "ES384", "ES256K", "Ed25519"),
        *("eddsa", "es256", "rs256", "EDDSA", "EdDSA ", "EdDSA\0", "Ed448", "dir"),
        *(None, 1, True, [], ["EdDSA"], {}),
    ],
    ids=repr,
)
def test_an_algorithm_of_no_key_is_refused(name: str, algorithm: Any) -> None:
    head = header(name, alg=algorithm)
    assert refusal(token(head, KEYS[name].session.sign)) == "algorithm_invalid"
    assert refusal(f"{segment(head)}.{segment(claims())}.") == "token_invalid"


@ALL
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("jku", "https://evil.example/jwks.json"),
        ("x5u", "https://evil.example/x5u.pem"),
        ("jwk", "own"),
        ("x5c", ["MIIB"]),
        ("x5t", "AAAA"),
        ("crit", ["exp"]),
        ("crit", ["b64"]),
        ("crit", []),
        ("b64", False),
        ("b64", True),
        ("zip", "DEF"),
        ("enc", "A128GCM"),
        ("cty", "JWT"),
        ("typ", "at+jwt"),
        ("typ", ...),
        ("Kid", "x"),
    ],
)
def test_a_header_that_says_more_is_refused_though_rightly_signed(
    name: str, parameter: str, value: Any
) -> None:
    if value == "own":
        value = dict(KEYS[name].session.public or {})
    assert (
        refusal(token(header(name, **{parameter: value}), KEYS[name].session.sign))
        == "token_invalid"
    )


@ALL
def test_a_key_in_the_header_is_not_believed(name: str) -> None:
    mine = STRANGERS[name].session
    for head in (header(name, jwk=dict(mine.public or {})), header(name)):
        assert refusal(token(head, mine.sign)) == "token_invalid"


def public_texts(name: str) -> dict[str, bytes]:
    """Return everything public that somebody could mistake for an HMAC key."""
    public = PRIVATE[name].public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = public.public_bytes(serialization.Encoding.PEM, info)
    der = public.public_bytes(serialization.Encoding.DER, info)
    ssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    known = KEYS[name].session.public
    return {
        "PEM": pem,
        "PEM without its line end": pem.rstrip(b"\n"),
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "DER": der,
        "SSH": ssh,
        "JWK": json.dumps(dict(known or {})).encode(),
        "JWK, compact": json.dumps(dict(known or {}), separators=(",", ":")).encode(),
        "JWK Set": key_ring.of(KEYS[name]).keys(Purpose.SESSION).jwks,
        "kid": KIDS[name].encode(),
        "nothing": b"",
    }


@ALL
@pytest.mark.parametrize("kind", public_texts("EdDSA"))
def test_the_public_key_is_no_hmac_secret(name: str, kind: str) -> None:
    sign = hs256(public_texts(name)[kind])
    for by in (EVERY, ALONE[name]):
        assert refusal(token(header(name, alg="HS256"), sign), by) == "algorithm_invalid"
        assert refusal(token(header(name), sign), by) == "token_invalid"
    assert refusal(token(header(name, alg="HS256", kid=...), sign)) == "token_invalid"
    assert refusal(token(header(name, alg="HS256", kid=...), sign), ALONE[name]) == (
        "algorithm_invalid"
    )


@ALL
def test_the_signature_of_another_key_under_the_same_name_is_refused(name: str) -> None:
    assert refusal(token(header(name), STRANGERS[name].session.sign)) == "token_invalid"
    for other in jwk.ALGORITHMS:
        if other != name:
            assert refusal(token(header(name), KEYS[other].session.sign)) == "token_invalid"


@ALL
def test_a_right_signature_does_not_mend_the_claims(name: str) -> None:
    sign = KEYS[name].session.sign
    for changes, code in (
        ({"exp": NOW}, "token_expired"),
        ({"iss": "https://evil.example"}, "issuer_invalid"),
        ({"sub": "2"}, "token_invalid"),
    ):
        assert refusal(token(header(name), sign, claims(**changes))) == code
