"""Hostile tokens by table: each is refused, though its signature is right."""

import base64
import hashlib
import json
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from tests.support.environment import SECRET, STRONG
from tests.support.handmade_tokens import (
    ABSENT,
    AUDIENCE,
    BASE64URL,
    GOOD,
    HEAD,
    HEADER,
    ISSUER,
    NOW,
    OTHER_SECRET,
    PAYLOAD,
    SIGNATURE,
    claims,
    header,
    label,
    refusal,
    segment,
    sign,
    token,
    verifier,
)


def twin(text: str) -> str:
    """Respell the last character of base64url that leaves bits over: it decodes to the same."""
    assert len(text) % 4 in {2, 3}
    return text[:-1] + BASE64URL[BASE64URL.index(text[-1]) + 1]


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
