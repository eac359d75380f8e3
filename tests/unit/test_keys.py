"""Keys: one key, one algorithm; what is no good key is refused, and said so."""

import dataclasses
import hmac
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from service import keys
from service.errors import Fault
from service.keys import Purpose, file, file_entry, jwk, shared_secret
from service.keys import key_ring as ring
from service.keys.purpose import SIGNING
from tests.support.environment import SECRET, Settings

MESSAGE = b"header.payload"
OTHER = SECRET.swapcase()
NO_SECRETS = {
    "a PEM key": f"-----BEGIN PUBLIC KEY-----\n{'A' * 64}\n-----END PUBLIC KEY-----",
    "an SSH key": f"ssh-rsa {'A' * 64}",
    "a JWK": json.dumps({"kty": "oct", "k": "A" * 64}),
    "a JWK Set": json.dumps({"keys": [{"kty": "oct", "k": "A" * 64}]}),
}
GOOD = {name: jwk.generate(name) for name in jwk.ALGORITHMS}
ANOTHER = {name: jwk.generate(name) for name in jwk.ALGORITHMS}
PUBLIC = {"EdDSA": {"x"}, "ES256": {"x", "y"}, "RS256": {"n", "e"}}


def as_jwk(key: Any, algorithm: str) -> dict[str, Any]:
    """Write a key of the library as a JWK, however unfit it is."""
    found: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True)
    return found


def changed(name: str, **changes: Any) -> dict[str, Any]:
    """Return a good JWK with some members changed, or left out for None."""
    return {key: value for key, value in {**GOOD[name], **changes}.items() if value is not None}


def weak(bits: int) -> dict[str, Any]:
    return {**as_jwk(rsa.generate_private_key(65537, bits), "RS256")}


@pytest.fixture
def keyed(settings: Settings, tmp_path: Path) -> Callable[..., keys.KeySet]:
    """Return what loads the ring of a key file with this content."""

    def load(content: object, algorithm: str = "EdDSA", **changes: str) -> keys.KeySet:
        path = tmp_path / "keys.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        both = {"JWT_ALGORITHM": algorithm, "JWT_KEYS_FILE": str(path)}
        return keys.load(settings(**both, **changes)).keys(Purpose.SESSION)

    return load


Keyed = Callable[..., keys.KeySet]

# --- secrets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [SECRET, f"{SECRET}\n", "\u043a\u043b\u044e\u0447" * 8, '{"not": "a JWK, though an object"}'],
    ids=["ASCII", "with a line end", "Cyrillic", "JSON"],
)
def test_a_secret_signs_as_the_utf_8_bytes_of_its_text(text: str) -> None:
    key = shared_secret.read(text).session
    assert (key.kid, key.algorithm, key.public) == (None, "HS256", None)
    assert key.sign(MESSAGE) == hmac.digest(text.encode(), MESSAGE, "sha256")
    assert key.verify(MESSAGE, key.sign(MESSAGE))


def test_a_key_verifies_nothing_but_its_own_signature_of_this_message() -> None:
    key, stranger = shared_secret.read(SECRET).session, shared_secret.read(OTHER).session
    good = key.sign(MESSAGE)
    assert not key.verify(MESSAGE, stranger.sign(MESSAGE))
    assert not key.verify(MESSAGE + b"2", good)
    for bad in (b"", good[:-1], good + b"\0", bytes(32), hmac.digest(b"", MESSAGE, "sha256")):
        assert not key.verify(MESSAGE, bad)


@pytest.mark.parametrize("text", NO_SECRETS.values(), ids=NO_SECRETS)
def test_a_key_of_another_kind_is_not_a_secret(text: str) -> None:
    with pytest.raises(jwt.InvalidKeyError):
        shared_secret.read(text)


@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "JWT_SECRET_KEY_PREVIOUS"])
@pytest.mark.parametrize("text", NO_SECRETS.values(), ids=NO_SECRETS)
def test_a_setting_that_is_a_key_of_another_kind_is_named(
    settings: Settings, name: str, text: str
) -> None:
    with pytest.raises(Fault, match=f"{name} "):
        keys.load(settings(**{name: text}))


def test_a_key_cannot_be_changed_and_does_not_show_its_secret() -> None:
    key = shared_secret.read(SECRET).session
    assert repr(key) == "Key(kid=None, algorithm='HS256')"
    assert GOOD["EdDSA"]["d"] not in repr(file_entry.fresh("EdDSA", "signing", 0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        key.algorithm = "none"  # type: ignore[misc]


def test_one_secret_signs_and_verifies(settings: Settings) -> None:
    found = keys.load(settings(JWT_SECRET_KEY=SECRET)).keys(Purpose.SESSION)
    assert found.verifying == (found.signing,)
    assert found.signing.sign(MESSAGE) == shared_secret.read(SECRET).session.sign(MESSAGE)
    assert json.loads(found.jwks) == {"keys": []}


def test_the_newest_secret_signs_and_all_verify(settings: Settings) -> None:
    ring = keys.load(settings(JWT_SECRET_KEY=OTHER, JWT_SECRET_KEY_PREVIOUS=SECRET))
    found = ring.keys(Purpose.SESSION)
    new, old = (shared_secret.read(text).session.sign(MESSAGE) for text in (OTHER, SECRET))
    assert found.signing.sign(MESSAGE) == new
    assert not found.signing.verify(MESSAGE, old)
    assert [
        [key.verify(MESSAGE, signature) for signature in (new, old)] for key in found.verifying
    ] == [
        [True, False],
        [False, True],
    ]


# --- one private JWK ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", jwk.ALGORITHMS)
def test_a_fresh_key_signs_what_its_public_part_alone_verifies(name: str) -> None:
    key = jwk.read(GOOD[name], "a-name").session
    assert (key.kid, key.algorithm) == ("a-name", name)
    assert key.public is not None
    assert key.public.keys() == {"kty", "kid", "alg", "use", *PUBLIC[name]} | (
        set() if name == "RS256" else {"crv"}
    )
    outside = jwt.get_algorithm_by_name(name)
    public = outside.from_jwk(json.dumps(dict(key.public)))
    assert outside.verify(MESSAGE, public, key.sign(MESSAGE))
    assert not jwk.read(ANOTHER[name], "x").session.verify(MESSAGE, key.sign(MESSAGE))


def test_the_thumbprint_is_that_of_rfc_7638_and_rfc_8037() -> None:
    rfc8037 = {"crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    private = {**rfc8037, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}
    assert jwk.thumbprint(rfc8037) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert jwk.thumbprint(private) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_public_part_has_one_spelling_however_the_file_spells_it() -> None:
    members = GOOD["RS256"]
    longer = {**members, "e": "AAEAAQ"}
    assert jwk.thumbprint(longer) == jwk.thumbprint(members)
    public = jwk.read(longer, "a").session.public
    assert public is not None
    assert public["e"] == "AQAB"


BAD_KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "a secret": ({"kty": "oct", "k": "A" * 43}, "is a shared secret (kty: oct)"),
    "no type": (changed("EdDSA", kty=None), "must be of type OKP, EC or RSA"),
    "an unknown type": (changed("EdDSA", kty="AKP"), "must be of type OKP, EC or RSA"),
    "a type that is no text": (changed("EdDSA", kty=["OKP"]), "must be of type OKP, EC or RSA"),
    "for encryption": (changed("EdDSA", use="enc"), "must be for signatures"),
    "for verifying": (changed("EdDSA", key_ops=["verify"]), "must allow signing"),
    "odd operations": (changed("EdDSA", key_ops="sign"), "must allow signing"),
    "another algorithm": (
        changed("EdDSA", alg="ES256"),
        "must have the algorithm EdDSA, as its type is OKP",
    ),
    "an HMAC algorithm": (
        changed("RS256", alg="HS256"),
        "must have the algorithm RS256, as its type is RSA",
    ),
    "PS256": (changed("RS256", alg="PS256"), "must have the algorithm RS256, as its type is RSA"),
    "no algorithm at all": (
        changed("ES256", alg="none"),
        "must have the algorithm ES256, as its type is EC",
    ),
    "Ed448": (as_jwk(ed448.Ed448PrivateKey.generate(), "EdDSA"), "on the curve Ed25519"),
    "X25519": (changed("EdDSA", crv="X25519"), "on the curve Ed25519"),
    "no curve": (changed("ES256", crv=None), "on the curve P-256"),
    "P-384": (as_jwk(ec.generate_private_key(ec.SECP384R1()), "ES384"), "on the curve P-256"),
    "P-521": (as_jwk(ec.generate_private_key(ec.SECP521R1()), "ES512"), "on the curve P-256"),
    "secp256k1": (as_jwk(ec.generate_private_key(ec.SECP256K1()), "ES256K"), "the curve P-256"),
    "RSA with a curve": (changed("RS256", crv="P-256"), "must not have a curve"),
    "RSA of 1024 bits": (weak(1024), "has 1024 bits; RSA needs 2048 to 8192"),
    "RSA of 2047 bits": (changed("RS256", n="f" + "A" * 340 + "E"), "has 2047 bits"),
    "RSA of 16384 bits": (changed("RS256", n="_" * 2731), "has 16384 bits"),
    "RSA without modulus": (changed("RS256", n=None), "must have the member n"),
    "RSA without exponent": (changed("RS256", e=None), "must have the member e"),
    "RSA with exponent 1": (changed("RS256", e="AQ"), "must have a safe public exponent"),
    "RSA with exponent 3": (changed("RS256", e="Aw"), "must have a safe public exponent"),
    "RSA with a huge exponent": (
        changed("RS256", e="AQAAAAAB"),
        "must have a safe public exponent",
    ),
    "RSA with an even exponent": (changed("RS256", e="AQAC"), "do not match"),
    "RSA not in base64url": (changed("RS256", n="a"), "must have n in base64url"),
    "RSA with some primes": (changed("RS256", q=None), "do not match"),
    "RSA of many primes": (changed("RS256", oth=[{"r": "AQ"}]), "only strings"),
    "a public key": ({k: v for k, v in GOOD["EdDSA"].items() if k != "d"}, "no private part"),
    "no public part": (changed("EdDSA", x=None), "do not match"),
    "half a point": (changed("ES256", y=None), "do not match"),
    "a point beside the curve": (changed("ES256", y=GOOD["ES256"]["x"]), "do not match"),
    "a point that is too short": (changed("ES256", x=GOOD["ES256"]["x"][:-2]), "do not match"),
    "a private part that is text no more": (changed("EdDSA", d=1), "only strings"),
    "an empty private part": (changed("EdDSA", d=""), "do not match"),
    "a short private part": (changed("ES256", d="AQ"), "do not match"),
    "a private part of zero": (changed("ES256", d="A" * 43), "do not match"),
    "the private part of another, EdDSA": (
        changed("EdDSA", d=ANOTHER["EdDSA"]["d"]),
        "do not match",
    ),
    "the private part of another, ES256": (
        changed("ES256", d=ANOTHER["ES256"]["d"]),
        "do not match",
    ),
    "the private part of another, RS256": (
        changed("RS256", d=ANOTHER["RS256"]["d"]),
        "do not match",
    ),
    "the modulus of another": (changed("RS256", n=ANOTHER["RS256"]["n"]), "do not match"),
    "only d of another": (
        {**{k: GOOD["RS256"][k] for k in ("kty", "n", "e")}, "d": ANOTHER["RS256"]["d"]},
        "do not match",
    ),
}


@pytest.mark.parametrize(("members", "message"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_key_is_refused_with_what_is_wrong(members: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        jwk.read(members, "a")


@pytest.mark.parametrize(("members", "message"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_key_spoils_its_file_and_shows_no_secret(
    keyed: Keyed, members: dict[str, Any], message: str
) -> None:
    with pytest.raises(file.BadFile) as refused:
        keyed({"keys": [{**GOOD["EdDSA"], "kid": "good"}, {**members, "kid": "the bad one"}]})
    text = str(refused.value)
    assert "(JWT_KEYS_FILE):\n  " in text
    assert "key 2 (the bad one)" in text
    assert message in text or "has no state" in text
    hidden = (str(members.get(part, "")) for part in ("d", "k"))
    assert not any(len(value) > 9 and value in text for value in hidden)


# --- the file -----------------------------------------------------------------------------------


def entry(name: str, kid: str, state: str | None = None, **more: Any) -> dict[str, Any]:
    members = {**more.pop("members", GOOD[name]), "kid": kid, **more}
    return {**members, "latchkey": {"state": state}} if state else members


BAD_FILES: dict[str, tuple[object, str]] = {
    "nothing": (b"", "is not JSON"),
    "not JSON": (b"keys", "is not JSON"),
    "a byte order mark": (b'\xef\xbb\xbf{"keys": []}', "is not JSON"),
    "a member twice": (b'{"keys": [], "keys": []}', "is not JSON"),
    "a PEM file": (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", "is not JSON"),
    "a list": ([GOOD["EdDSA"]], "is not a JWK Set"),
    "one JWK": (GOOD["EdDSA"], "is not a JWK Set"),
    "keys that are no list": ({"keys": GOOD["EdDSA"]}, "is not a JWK Set"),
    "over 1 MiB": (b" " * (1 << 20) + b'{"keys":[]}', "is over 1 MiB"),
    "no keys": (
        {"keys": []},
        "no EdDSA key signs; generate one with: python -m service key generate",
    ),
    "no objects": ({"keys": ["a"]}, "key 1 is not a JSON object"),
    "keys of other algorithms": ({"keys": [GOOD["ES256"]]}, "no EdDSA key signs"),
    "only a published key": ({"keys": [entry("EdDSA", "a", "published")]}, "no EdDSA key signs"),
    "only a retired key": ({"keys": [entry("EdDSA", "a", "retired")]}, "no EdDSA key signs"),
    "a name twice": (
        {"keys": [entry("EdDSA", "a"), entry("ES256", "a")]},
        "the kid a is not unique",
    ),
    "a name twice, once retired": (
        {"keys": [entry("EdDSA", "a", "signing"), entry("ES256", "a", "retired")]},
        "the kid a is not unique",
    ),
    "a key under two names": (
        {"keys": [entry("EdDSA", "a", "signing"), entry("EdDSA", "b", "published")]},
        "the key b is also in the file under another kid",
    ),
    "two keys that sign": (
        {
            "keys": [
                entry("EdDSA", "a", "signing"),
                entry("EdDSA", "b", "signing", members=ANOTHER["EdDSA"]),
            ]
        },
        "two EdDSA keys are signing",
    ),
    "two keys without state": (
        {"keys": [entry("EdDSA", "a"), entry("EdDSA", "b", members=ANOTHER["EdDSA"])]},
        "key 1 (a) has no state, and the file has other keys of its type",
    ),
    "an unknown state": ({"keys": [entry("EdDSA", "a", "asleep")]}, "must have the state publ"),
    "a state that is no object": (
        {"keys": [entry("EdDSA", "a", latchkey="signing")]},
        "must have the state publ",
    ),
    "a state that is no text": (
        {"keys": [entry("EdDSA", "a", latchkey={"state": ["signing"]})]},
        "must have the state publ",
    ),
    "a bad date": (
        {"keys": [entry("EdDSA", "a", latchkey={"state": "signing", "signing_at": "today"})]},
        "must have dates such as 1970-01-01T00:00:00Z",
    ),
    "a date that is a number": (
        {"keys": [entry("EdDSA", "a", latchkey={"state": "signing", "signing_at": 1})]},
        "must have dates such as 1970-01-01T00:00:00Z",
    ),
    "an empty name": ({"keys": [entry("EdDSA", "")]}, "must have a kid"),
    "a name with a line end": ({"keys": [entry("EdDSA", "a\nb")]}, "key 1 must have a kid"),
    "a long name": ({"keys": [entry("EdDSA", "a" * 129)]}, "must have a kid"),
    "a name that is a number": ({"keys": [{**GOOD["EdDSA"], "kid": 1}]}, "must have a kid"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_with_what_is_wrong(
    keyed: Keyed, tmp_path: Path, content: object, message: str
) -> None:
    with pytest.raises(file.BadFile) as refused:
        keyed(content)
    assert message in refused.value.reason
    assert str(tmp_path) not in refused.value.reason
    assert f"Invalid key file {tmp_path}/keys.json (JWT_KEYS_FILE):" in str(refused.value)


def test_everything_wrong_is_named_at_once(keyed: Keyed) -> None:
    with pytest.raises(Fault) as refused:
        keyed({"keys": [{"kty": "oct", "kid": "one"}, 2, {"kty": "RSA"}]})
    assert [line.split()[1] for line in str(refused.value).split("\n  ")[1:]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere", "is missing; generate one with: "), (".", "cannot be read (Is a directory)")],
)
def test_a_file_that_cannot_be_had_is_a_fault(
    settings: Settings, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(file.BadFile) as refused:
        keys.load(settings(JWT_ALGORITHM="EdDSA", JWT_KEYS_FILE=f"{tmp_path}/{name}"))
    assert message in refused.value.reason
    with pytest.raises(file.BadFile):
        keys.load(settings(JWT_KEYS_FILE=f"{tmp_path}/{name}"))


@pytest.mark.parametrize("name", jwk.ALGORITHMS)
def test_a_plain_jwk_set_of_one_key_is_good(keyed: Keyed, name: str) -> None:
    minimal = {key: value for key, value in GOOD[name].items() if key not in {"alg", "use"}}
    found = keyed({"keys": [minimal]}, name)
    assert (found.signing.algorithm, found.signing.kid) == (name, jwk.thumbprint(minimal))
    assert keyed({"keys": [{**minimal, "kid": "my key"}]}, name).signing.kid == "my key"


def test_of_each_algorithm_one_key_may_sign_and_the_setting_decides(keyed: Keyed) -> None:
    whole = {"keys": [GOOD["EdDSA"], GOOD["ES256"], GOOD["RS256"]]}
    for name in jwk.ALGORITHMS:
        found = keyed(whole, name)
        assert found.signing.algorithm == name
        assert {key.algorithm for key in found.verifying} == {*jwk.ALGORITHMS, "HS256"}


def test_the_secret_verifies_beside_the_file_and_the_file_beside_the_secret(keyed: Keyed) -> None:
    asymmetric, symmetric = (
        keyed({"keys": [GOOD["EdDSA"]]}),
        keyed({"keys": [GOOD["EdDSA"]]}, "HS256"),
    )
    assert asymmetric.signing.algorithm == "EdDSA"
    assert symmetric.signing.algorithm == "HS256"
    assert asymmetric.jwks == symmetric.jwks
    assert asymmetric.etag == symmetric.etag
    for found in (asymmetric, symmetric):
        assert [key.algorithm for key in found.find(None)] == ["HS256"]
        assert [key.algorithm for key in found.find(jwk.thumbprint(GOOD["EdDSA"]))] == ["EdDSA"]


def test_without_a_secret_none_verifies(keyed: Keyed) -> None:
    found = keyed({"keys": [GOOD["EdDSA"]]}, JWT_SECRET_KEY="")
    assert found.verifying == (found.signing,)


def test_every_state_but_retired_verifies_and_is_public(keyed: Keyed) -> None:
    fresh = {state: jwk.generate("ES256") for state in file_entry.STATES}
    whole = [entry("ES256", state, state, members=fresh[state]) for state in file_entry.STATES]
    found = keyed({"keys": whole}, "ES256", JWT_SECRET_KEY="")
    assert found.signing.kid == "signing"
    assert {key.kid for key in found.verifying} == {"published", "signing", "verifying"}
    public = json.loads(found.jwks)["keys"]
    assert [each["kid"] for each in public] == ["published", "signing", "verifying"]
    for each in public:
        assert each.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_the_ring_has_the_key_that_signs_first_and_once() -> None:
    one, two = shared_secret.read(SECRET), shared_secret.read(OTHER)
    for purpose in SIGNING:
        found = ring.of(one, one, two).keys(purpose).verifying
        assert found == (one.key(purpose), two.key(purpose))
