"""Tokens: what is issued is good anywhere, and nothing else is ever taken for a token."""

import base64
import hashlib
import hmac
import json
import string
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service import config, errors, keys
from service.keys import key_ring
from service.keys import shared_secret as secret
from service.tokens import issuer as tokens
from service.tokens import jws
from tests.support.environment import SECRET, STRONG
from tests.support.thoroughness import some

NOW = 1_800_000_000
ISSUER = "http://localhost:8080"
AUDIENCE = "https://app.example.org"
ABSENT = ...
NO_FILE = Path("no.env")
HEADER = b'{"alg":"HS256","typ":"JWT"}'
USER: dict[str, Any] = {
    "id": 1,
    "username": "admin",
    "roles": [{"id": 1, "role": "manage_users"}, {"id": 2, "role": "manage_documents"}],
    "version": 3,
}
CLAIMS: dict[str, Any] = {
    **{name: USER[name] for name in ("id", "username", "roles")},
    "iss": ISSUER,
    "sub": "1",
    "iat": NOW,
    "exp": NOW + 60,
    "auth_time": NOW,
    "jti": "a-token-id",
    "sid": "a-session-id",
    "ver": 3,
    "amr": ["pwd"],
}
BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def present(**changes: str) -> tokens.TokenIssuer:
    """Make a Tokens as the service does, on the clock of the machine."""
    read = config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY": SECRET, **changes}, NO_FILE)
    return noted(tokens.TokenIssuer(read, keys.load(read)))


def verifier(now: float = NOW, **changes: str) -> tokens.TokenIssuer:
    """Make a Tokens whose clock stands still."""
    read = config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY": SECRET, **changes}, NO_FILE)
    return noted(tokens.TokenIssuer(read, keys.load(read), clock=lambda: now))


def noted(made: tokens.TokenIssuer) -> tokens.TokenIssuer:
    """Let tokens be issued as if a database had noted the horizon."""
    made.horizon = 2**62
    return made


def claims(**changes: Any) -> bytes:
    """Write the payload of a good token, with some claims changed or ABSENT."""
    return dump({**CLAIMS, **changes})


def header(**changes: Any) -> bytes:
    """Write the header of a good token, with some parameters changed or ABSENT."""
    return dump({**json.loads(HEADER), **changes})


def dump(members: dict[str, Any]) -> bytes:
    return json.dumps({n: value for n, value in members.items() if value is not ABSENT}).encode()


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(signed: str, secret: str = SECRET, digest: str = "sha256") -> str:
    """Append the right signature to whatever stands there."""
    return f"{signed}.{segment(hmac.digest(secret.encode(), signed.encode(), digest))}"


def token(head: bytes = HEADER, payload: bytes = claims(), **signing: str) -> str:
    """Build a token by hand, rightly signed."""
    return sign(f"{segment(head)}.{segment(payload)}", **signing)


def refusal(text: str, by: tokens.TokenIssuer | None = None) -> str:
    """Return the code that a token is refused with."""
    with pytest.raises(errors.Unauthenticated) as refused:
        (by or VERIFIER).verify(text)
    return refused.value.code


def label(value: object) -> str:
    """Name a value of a table in the list of tests."""
    return "absent" if value is ABSENT else repr(value)[:40]


def twin(text: str) -> str:
    """Respell the last character of base64url that leaves bits over: it decodes to the same."""
    assert len(text) % 4 in {2, 3}
    return text[:-1] + BASE64URL[BASE64URL.index(text[-1]) + 1]


VERIFIER = verifier()
GOOD = token()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")
OTHER_SECRET = SECRET.swapcase()

# --- what is issued ---------------------------------------------------------------------------


def test_a_token_carries_the_user_and_the_registered_claims() -> None:
    text, issued = verifier(JWT_EXPIRES_IN="6h").issue(USER, amr="bypass")
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
    text, issued = issuer.issue(USER, amr="pwd")
    assert issued.get("aud") == audience
    assert issuer.verify(text) == issued
    assert jwt.decode(text, SECRET, algorithms=["HS256"], audience=audience) == issued


def test_without_a_clock_of_ones_own_it_is_the_present() -> None:
    before = int(time.time())
    assert before <= present().now() <= time.time()


def test_two_tokens_of_one_user_are_two_sessions() -> None:
    (_, one), (_, other) = (VERIFIER.issue(USER, amr="pwd") for _ in range(2))
    assert one["sid"] != other["sid"]
    assert one["jti"] != other["jti"]


@pytest.mark.parametrize(("asked", "granted"), [(60, 60), (900, 900), (901, 900), (10**9, 900)])
def test_a_token_may_live_shorter_than_a_session_and_never_longer(asked: int, granted: int) -> None:
    _, issued = verifier(JWT_EXPIRES_IN="15m").issue(USER, amr="pwd", expires_in=asked)
    assert issued["exp"] == NOW + granted


def test_a_token_has_at_most_3500_bytes() -> None:
    _, empty = VERIFIER.issue({**USER, "username": ""}, amr="pwd")
    room = 2564 - len(json.dumps(empty, separators=(",", ":")))  # 2,564 bytes in 3,419 characters
    largest, issued = VERIFIER.issue({**USER, "username": "u" * room}, amr="pwd")
    assert len(largest) == 3500
    assert VERIFIER.verify(largest) == issued
    with pytest.raises(errors.TokenTooLarge):
        VERIFIER.issue({**USER, "username": "u" * (room + 1)}, amr="pwd")


def test_the_refusal_of_a_token_that_is_too_large_names_the_user() -> None:
    roles = [{"id": number, "role": f"role_{number}"} for number in range(1, 200)]
    with pytest.raises(errors.TokenTooLarge, match="token_too_large") as refused:
        VERIFIER.issue({**USER, "roles": roles}, amr="pwd")
    assert "user admin has too many roles (199)" in refused.value.detail


def test_an_exchanged_token_belongs_to_the_session_and_ends_with_it() -> None:
    given, issued = VERIFIER.issue(USER, amr="otp")
    before = dict(issued)
    text, exchanged = verifier(NOW + 100).exchange(given, issued)
    fresh = {"iat": NOW + 100, "jti": exchanged["jti"]}
    assert exchanged == {**issued, **fresh}
    assert exchanged["jti"] != issued["jti"]
    assert issued == before
    assert verifier(issued["exp"] - 1).verify(text) == exchanged
    assert refusal(text, by=verifier(issued["exp"])) == "token_expired"


def test_exchanging_does_not_renew_the_time_of_the_sign_in() -> None:
    text, issued = VERIFIER.issue(USER, amr="pwd")
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
    _, new = exchanging.issue(USER, amr="pwd")
    began = exchanged.get("auth_time", exchanged["iat"])
    assert began == min(before.get("auth_time", iat), new["auth_time"])
    assert exchanged["exp"] - exchanged["iat"] <= before["exp"] - before["iat"]
    assert exchanging.verify(text) == exchanged


@pytest.mark.parametrize(("ahead", "dated"), [(-1, 0), (0, 0), (6, 6), (11, 11), (12, 0)])
def test_a_sign_in_is_dated_by_a_moment_that_lies_a_little_ahead(ahead: int, dated: int) -> None:
    issuer = verifier()
    issuer.not_before = NOW + ahead
    _, issued = issuer.issue(USER, amr="pwd")
    assert (issued["iat"], issued["auth_time"]) == (NOW, NOW + dated)


def test_exchanging_again_and_again_wins_no_time() -> None:
    text, first = VERIFIER.issue(USER, amr="pwd")
    last = first
    for later in range(1000, 21_000, 1000):
        text, last = verifier(NOW + later).exchange(text, last)
    assert (last["sid"], last["exp"]) == (first["sid"], first["exp"])


def test_the_previous_secret_verifies_and_never_signs() -> None:
    rotated = verifier(JWT_SECRET_KEY=OTHER_SECRET, JWT_SECRET_KEY_PREVIOUS=SECRET)
    old, claimed = VERIFIER.issue(USER, amr="pwd")
    assert rotated.verify(old) == claimed
    for new, _ in (rotated.issue(USER, amr="pwd"), rotated.exchange(old, claimed)):
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


# --- hostile tokens, each rightly signed unless the signature is the point ----------------------

SHAPES = {
    "nothing": "",
    "a word": "token",
    "one segment": HEAD,
    "two segments": f"{HEAD}.{PAYLOAD}",
    "four segments": f"{GOOD}.{SIGNATURE}",
    "four segments, rightly signed": sign(f"{HEAD}.{PAYLOAD}.{PAYLOAD}"),
    "five segments, as of a JWE": f"{HEAD}.{PAYLOAD}.{PAYLOAD}.{PAYLOAD}.{SIGNATURE}",
    "only dots": "..",
    "ten thousand dots": "." * 10_000,
    "an empty header": sign(f".{PAYLOAD}"),
    "an empty payload": sign(f"{HEAD}."),
    "an empty signature": f"{HEAD}.{PAYLOAD}.",
    "a dot before": f".{GOOD}",
    "one character each": "a.b.c",
    "a segment of 4n+1 characters": sign(f"{HEAD}.{PAYLOAD}{'A' * (5 - len(PAYLOAD) % 4)}"),
    "padding at the end": f"{GOOD}=",
    "padding inside, rightly signed": sign(f"{segment(HEADER + b' ')}==.{PAYLOAD}"),
    "a header spelt otherwise": sign(f"{twin(segment(HEADER + b' '))}.{PAYLOAD}"),
    "a payload spelt otherwise": sign(
        f"{HEAD}.{twin(segment(claims() + b' ' * (4 - len(claims()) % 3)))}"
    ),
    "a signature spelt otherwise": f"{HEAD}.{PAYLOAD}.{twin(SIGNATURE)}",
    "the alphabet of plain base64": sign(f"{HEAD}.{PAYLOAD}+/"),
    "a blank before": f" {GOOD}",
    "a blank after": f"{GOOD} ",
    "a line end after": f"{GOOD}\n",
    "a carriage return after": f"{GOOD}\r\n",
    "a tab inside": f"{HEAD}\t.{PAYLOAD}.{SIGNATURE}",
    "a line end inside, rightly signed": sign(f"{HEAD}.\n{PAYLOAD}"),
    "a no-break space after": f"{GOOD}\u00a0",
    "a byte order mark before": f"\ufeff{GOOD}",
    "a NUL after": f"{GOOD}\0",
    "quotes around": f'"{GOOD}"',
    "its scheme before": f"Bearer {GOOD}",
    "percent-encoded dots": GOOD.replace(".", "%2E"),
    "a full-width full stop": GOOD.replace(".", "\uff0e", 1),
    "arabic digits": f"{HEAD}.{PAYLOAD}.{SIGNATURE[:-1]}\u0664",
    "full-width letters": f"{HEAD}.{PAYLOAD}.\uff21{SIGNATURE[1:]}",
    "a lone surrogate": f"{GOOD}\udc80",
    "the JSON serialization": json.dumps({"payload": PAYLOAD, "signatures": [SIGNATURE]}),
    "ten thousand letters": "a" * 10_000,
    "ten thousand letters in three segments": f"{HEAD}.{'a' * 9_900}.{SIGNATURE}",
    "3,501 bytes, rightly signed": token(payload=claims() + b" " * (2565 - len(claims()))),
    "integers of five thousand digits": token(
        payload=claims()[:-1] + b', "n": %b}' % (b"9" * 5000)
    ),
    "a good token twice": f"{GOOD}.{GOOD}",
    "two good tokens, as of a merged header": f"{GOOD}, {GOOD}",
}

SIGNATURES = {
    "of another secret": token(secret=OTHER_SECRET),
    "of no secret": token(secret=""),
    "of the secret and a line end": token(secret=f"{SECRET}\n"),
    "of another payload": f"{HEAD}.{segment(claims(id=2, sub='2'))}.{SIGNATURE}",
    "of another header": f"{segment(header())}.{PAYLOAD}.{SIGNATURE}",
    "of the payload alone": f"{HEAD}.{sign(PAYLOAD)}",
    "of the longer SHA-512": token(digest="sha512"),
    "cut short": f"{HEAD}.{PAYLOAD}.{segment(base64.urlsafe_b64decode(SIGNATURE + '=')[:16])}",
    "prolonged": f"{HEAD}.{PAYLOAD}.{segment(base64.urlsafe_b64decode(SIGNATURE + '=') + b'A')}",
    "in hexadecimal": f"{HEAD}.{PAYLOAD}.{hashlib.sha256(b'').hexdigest()}",
    "all zeros": f"{HEAD}.{PAYLOAD}.{segment(bytes(32))}",
    "in lower case": f"{HEAD}.{PAYLOAD}.{SIGNATURE.lower()}",
    "of another secret, expired and of another issuer": token(
        payload=claims(exp=0, iss="https://evil.example"), secret=OTHER_SECRET
    ),
}

NONE = ["".join(letters) for letters in product("nN", "oO", "nN", "eE")]
ALGORITHMS: list[Any] = [
    *NONE,
    *("", " none", "none ", "none\0", "NULL"),
    *("HS384", "HS512", "RS256", "PS256", "ES256", "ES256K", "EdDSA", "Ed25519", "dir", "A128KW"),
    *("hs256", "Hs256", "HS256 ", "HS-256", "HS256\0", "HS256,none", "\uff28\uff33256", "SHA256"),
    *(ABSENT, None, True, 0, 256, 256.5, [], ["HS256"], ["none"], {}, {"HS256": True}),
]

PARAMETERS: dict[str, tuple[Any, ...]] = {
    "crit": ([], ["exp"], ["b64"], None),
    "b64": (True, False),
    "kid": ("", "1", "../../../dev/null", "' OR 1=1 --", None),
    "jku": ("https://evil.example/jwks.json", ISSUER),
    "jwk": ({"kty": "oct", "k": segment(SECRET.encode())}, None),
    "x5u": ("https://evil.example/x5u.pem",),
    "x5c": (["MIIB"],),
    "x5t": ("AAAA",),
    "x5t#S256": ("AAAA",),
    "zip": ("DEF",),
    "enc": ("A128GCM",),
    "cty": ("JWT", ""),
    "iss": (ISSUER,),
    "Alg": ("HS256",),
    "": (None,),
    "typ": (
        *(ABSENT, None, "", "jwt", "Jwt", "JWS", "JWE", "JOSE", "at+jwt", "application/jwt"),
        *("JWT ", "JWT\0", True, 1, [], ["JWT"], {}),
    ),
}

NOT_OUR_JSON = {
    "nothing but a blank": b" ",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "a text": b'"{}"',
    "an empty object": b"{}",
    "two objects": b"{}{}",
    "not JSON": b"{alg:HS256}",
    "single quotes": b"{'alg': 'HS256'}",
    "random bytes": b"\x00\xff\xfe\x80",
}

SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "a byte order mark": lambda good: b"\xef\xbb\xbf" + good,
    "UTF-16": lambda good: good.decode().encode("utf-16-le"),
    "a NUL after": lambda good: good + b"\0",
    "a form feed before": lambda good: b"\f" + good,
    "something after": lambda good: good + b"1",
    "a comma too many": lambda good: good[:-1] + b",}",
    "no closing brace": lambda good: good[:-1],
    "a comment": lambda good: b"/**/" + good,
    "in a list": lambda good: b"[" + good + b"]",
    "not UTF-8": lambda good: good[:-1] + b',"x":"\xff"}',
    "UTF-8 of a surrogate": lambda good: good[:-1] + b',"x":"\xed\xa0\x80"}',
    "a lone surrogate": lambda good: good[:-1] + b',"x":"\\ud800"}',
    "a lone surrogate as a name": lambda good: good[:-1] + b',"\\udfff":1}',
    "a bare line end in a text": lambda good: good[:-1] + b',"x":"\n"}',
    "NaN": lambda good: good[:-1] + b',"x":NaN}',
    "Infinity": lambda good: good[:-1] + b',"x":-Infinity}',
    "a number beyond floats": lambda good: good[:-1] + b',"x":1e999}',
    "a leading zero": lambda good: good[:-1] + b',"x":01}',
    "a name twice": lambda good: good[:-1] + b',"x":1,"x":1}',
    "a name twice, once escaped": lambda good: good[:-1] + b',"x":1,"\\u0078":1}',
    "a name twice, further in": lambda good: good[:-1] + b',"x":[{"y":1,"y":2}]}',
    "nesting without end": lambda good: good[:-1] + b',"x":' + b"[" * 2000,
    "deep nesting": lambda good: good[:-1] + b',"x":' + b"[" * 1050 + b"]" * 1050 + b"}",
}

DUPLICATES = {
    "alg none first": (b'{"alg":"none","alg":"HS256","typ":"JWT"}', claims()),
    "alg none last": (b'{"alg":"HS256","typ":"JWT","alg":"none"}', claims()),
    "alg escaped": (b'{"alg":"HS256","typ":"JWT","\\u0061lg":"none"}', claims()),
    "typ twice the same": (b'{"alg":"HS256","typ":"JWT","typ":"JWT"}', claims()),
    "sub": (HEADER, b'{"sub":"2",' + claims()[1:]),
    "exp": (HEADER, claims()[:-1] + b',"exp":9999999999}'),
    "exp twice the same": (HEADER, claims(exp=ABSENT)[:-1] + b',"exp":9999999999' * 2 + b"}"),
    "iss escaped": (HEADER, b'{"\\u0069ss":"https://evil.example",' + claims()[1:]),
    "roles": (HEADER, claims(roles=[{"id": 1, "role": "x"}])[:-1] + b',"roles":[]}'),
}

NO_COUNT: tuple[Any, ...] = (ABSENT, None, True, False, 0, -1, 1.0, "1", [1], {}, 2**63, 10**30)
NO_DATE: tuple[Any, ...] = (
    *(None, True, False, -1, NOW + 60.0, 1e300, 253402300800, 10**30),
    *("", str(NOW), [NOW], {}),
)
NO_OPAQUE = (ABSENT, None, True, 1, "", "a" * 7, "a" * 65, "a session", "session=", ["a-session"])
MORE_OPAQUE = ("a-session\n", "a-session\0", "s\u00e9ssion-id", "\u0661\u0662\u0663\u0664" * 2)
CLAIMS_REFUSED: dict[str, dict[str, tuple[Any, ...]]] = {
    "token_invalid": {
        "id": (*NO_COUNT, 2),
        "sub": (ABSENT, None, 1, True, "", "2", "01", "+1", " 1", "1\n", "1.0", "\u0661", ["1"]),
        "username": (ABSENT, None, True, 1, ["admin"], {"name": "admin"}),
        "roles": (
            *(ABSENT, None, True, "manage_users", {}, {"id": 1, "role": "x"}),
            *(["manage_users"], [None], [[]], [{}], [{"id": 1}], [{"role": "x"}]),
            *([{"id": True, "role": "x"}], [{"id": 0, "role": "x"}], [{"id": "1", "role": "x"}]),
            *([{"id": 1, "role": None}], [{"id": 1, "role": ["x"]}]),
            *([{"id": 1, "role": "x", "more": 1}], [{"id": 1, "role": "x"}, None]),
        ),
        "ver": (*NO_COUNT, 2**62, 2**63 - 1),
        "auth_time": (*NO_DATE, NOW + 12, 253402300799),
        "iat": (ABSENT, *NO_DATE, NOW + 6),
        "exp": (ABSENT, *NO_DATE),
        "nbf": (*NO_DATE, NOW + 6),
        "sid": (*NO_OPAQUE, *MORE_OPAQUE),
        "jti": (*NO_OPAQUE, *MORE_OPAQUE),
        "amr": (ABSENT, None, True, "pwd", [], [1], [None], ["pwd", ["otp"]], {"pwd": True}),
    },
    "token_expired": {"exp": (0, 1, NOW - 1, NOW)},
    "issuer_invalid": {
        "iss": (
            *(ABSENT, None, True, "", "https://evil.example", [ISSUER], {ISSUER: True}),
            *(f"{ISSUER}/", f"{ISSUER}.evil.example", ISSUER.upper(), f" {ISSUER}", ISSUER[:-1]),
        ),
    },
    "audience_invalid": {"aud": (None, "", AUDIENCE, ISSUER, [], [AUDIENCE], [ISSUER], True)},
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_what_is_not_exactly_three_canonical_segments_is_refused(text: str) -> None:
    assert refusal(text) == "token_invalid"


@pytest.mark.parametrize("text", SIGNATURES.values(), ids=SIGNATURES)
def test_a_signature_that_is_not_ours_is_refused_whatever_the_claims(text: str) -> None:
    assert refusal(text) == "token_invalid"


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=label)
def test_another_algorithm_is_refused_though_the_signature_is_right(algorithm: Any) -> None:
    assert refusal(token(header(alg=algorithm))) == "algorithm_invalid"


@pytest.mark.parametrize("digest", ["sha384", "sha512"])
def test_a_signature_that_fits_another_algorithm_is_refused(digest: str) -> None:
    algorithm = digest.replace("sha", "HS")
    assert refusal(token(header(alg=algorithm), digest=digest)) == "algorithm_invalid"


@pytest.mark.parametrize("algorithm", NONE)
def test_an_unsigned_token_is_refused(algorithm: str) -> None:
    assert refusal(f"{segment(header(alg=algorithm))}.{PAYLOAD}.") == "token_invalid"


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in PARAMETERS.items() for value in values],
    ids=label,
)
def test_a_header_parameter_that_is_not_ours_is_refused(name: str, value: Any) -> None:
    assert refusal(token(header(**{name: value}))) == "token_invalid"


@pytest.mark.parametrize("text", NOT_OUR_JSON.values(), ids=NOT_OUR_JSON)
def test_a_payload_that_is_not_an_object_of_claims_is_refused(text: bytes) -> None:
    assert refusal(token(payload=text)) == "token_invalid"


@pytest.mark.parametrize(
    "text", [text for text in NOT_OUR_JSON.values() if text != b"{}"], ids=label
)
def test_a_header_that_is_not_an_object_is_refused(text: bytes) -> None:
    assert refusal(token(text)) == "token_invalid"


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_loose_json_is_refused_in_header_and_payload(spoil: Callable[[bytes], bytes]) -> None:
    assert refusal(token(spoil(HEADER))) == "token_invalid"
    assert refusal(token(payload=spoil(claims()))) == "token_invalid"


@pytest.mark.parametrize(("head", "payload"), DUPLICATES.values(), ids=DUPLICATES)
def test_a_member_that_comes_twice_is_refused(head: bytes, payload: bytes) -> None:
    assert refusal(token(head, payload)) == "token_invalid"


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        (code, name, value)
        for code, table in CLAIMS_REFUSED.items()
        for name, values in table.items()
        for value in values
    ],
    ids=label,
)
def test_a_claim_that_is_not_as_we_write_it_is_refused(code: str, name: str, value: Any) -> None:
    assert refusal(token(payload=claims(**{name: value}))) == code


@pytest.mark.parametrize(
    "audience",
    [ABSENT, None, "", "other", [AUDIENCE], [], f"{AUDIENCE}/", AUDIENCE.upper(), True],
    ids=label,
)
def test_an_audience_that_is_set_is_required(audience: Any) -> None:
    strict = verifier(JWT_AUDIENCE=AUDIENCE)
    assert strict.verify(token(payload=claims(aud=AUDIENCE)))
    assert refusal(token(payload=claims(aud=audience)), by=strict) == "audience_invalid"


@pytest.mark.parametrize("methods", [["bypass"], ["bypass", "pwd"], ["pwd", "bypass"]], ids=label)
def test_production_refuses_the_development_sign_in_whatever_key_signed(methods: list[str]) -> None:
    address = "https://auth.example.org"
    production = verifier(ENVIRONMENT="production", JWT_SECRET_KEY=STRONG, PUBLIC_URL=address)
    honest, dishonest = (
        token(payload=claims(iss=address, amr=amr), secret=STRONG) for amr in (["pwd"], methods)
    )
    assert production.verify(honest)
    assert refusal(dishonest, by=production) == "token_invalid"


# --- what no table can list ---------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)
quick = settings(max_examples=some(150))


def test_no_single_character_can_be_changed() -> None:
    good, _ = VERIFIER.issue({**USER, "roles": []}, amr="pwd")
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


# --- for people -----------------------------------------------------------------------------------


def test_peeking_shows_a_token_that_nobody_vouches_for() -> None:
    forged = token(header(alg="none"), claims(exp=0), secret=OTHER_SECRET)
    assert jws.peek(forged) == ({"alg": "none", "typ": "JWT"}, {**CLAIMS, "exp": 0})


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", f"{GOOD}\n", f"{HEAD}.{segment(b'[]')}.AA"])
def test_peeking_at_something_else_is_refused(text: str) -> None:
    with pytest.raises(errors.TokenInvalid):
        jws.peek(text)


class Moving:
    """A clock that stands until it is moved."""

    now: float = NOW

    def __call__(self) -> float:
        """Return its reading."""
        return self.now


def remembering(clock: Moving) -> tuple[tokens.TokenIssuer, list[bytes]]:
    """Make a Tokens on a clock, and the list of what its key is asked to verify."""
    read = config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY": SECRET}, NO_FILE)
    root = secret.read(SECRET)
    key = root.session
    asked: list[bytes] = []

    def verify(message: bytes, signature: bytes) -> bool:
        asked.append(message)
        return key.verify(message, signature)

    counted = replace(root, session=replace(key, verify=verify))
    return noted(tokens.TokenIssuer(read, key_ring.of(counted), clock=clock)), asked


def test_a_signature_is_checked_once_and_the_time_of_expiry_each_time() -> None:
    clock = Moving()
    verifying, asked = remembering(clock)
    token, _ = verifying.issue(USER, amr="cli", expires_in=60)
    first = verifying.verify(token)
    assert verifying.verify(token) is first
    assert len(asked) == 1
    clock.now += 60
    for _ in range(2):
        with pytest.raises(errors.TokenExpired):
            verifying.verify(token)


def test_a_token_whose_key_is_gone_is_not_exchanged() -> None:
    ours = verifier()
    text, issued = ours.issue(USER, amr="pwd")
    ours.verify(text)
    ours.use(key_ring.of(secret.read(OTHER_SECRET)))
    with pytest.raises(errors.TokenInvalid):
        ours.exchange(text, issued)


def test_new_keys_win_over_what_was_verified_with_the_old_ones() -> None:
    verifying, _ = remembering(Moving())
    token, _ = verifying.issue(USER, amr="cli")
    verifying.verify(token)
    other = config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY": STRONG}, NO_FILE)
    verifying.use(keys.load(other))
    with pytest.raises(errors.TokenInvalid):
        verifying.verify(token)


def test_only_so_many_tokens_are_remembered_and_no_bad_one(monkeypatch: pytest.MonkeyPatch) -> None:
    verifying, asked = remembering(Moving())
    issued = [verifying.issue(USER, amr="cli")[0] for _ in range(5)]
    room = 3 * tokens._size(issued[0], verifying.verify(issued[0]))
    monkeypatch.setattr(tokens, "REMEMBERED_BYTES", room)
    verifying.use(verifying._in_use.ring)
    for token in issued:
        verifying.verify(token)
        with pytest.raises(errors.TokenInvalid):
            verifying.verify(token + "A")
    assert list(verifying._verified) == issued[2:]
    before = len(asked)
    verifying.verify(issued[0])
    assert len(asked) == before + 1
