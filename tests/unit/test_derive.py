"""The keys of other purposes: as the documentation has them, the same everywhere and for ever."""

import hashlib
import hmac
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from service import keys
from service.keys import KeyRing, Purpose, jwk, key_ring, shared_secret
from service.keys.purpose import DOCUMENTS, SIGNING
from tests.support.derived import assertion_key, derived, feed_key
from tests.support.environment import ROOT, SECRET, STRONG, Settings, clean_environ

MESSAGE = b"header.payload"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
JWKS = {name: jwk.generate(name) for name in jwk.ALGORITHMS}
ALL = pytest.mark.parametrize("name", jwk.ALGORITHMS)


def hkdf_48(text: str, label: str) -> int:
    """Return 48 bytes of HKDF-SHA-256 as a number, from the standard library."""
    extracted = hmac.digest(bytes(32), text.encode(), "sha256")
    first = hmac.digest(extracted, label.encode() + b"\x01", "sha256")
    second = hmac.digest(extracted, first + label.encode() + b"\x02", "sha256")
    return int.from_bytes((first + second)[:48], "big")


def test_with_a_secret_they_are_hkdf_of_its_text() -> None:
    for text in (SECRET, "\u043a\u043b\u044e\u0447" * 8):
        root = shared_secret.read(text)
        for key, expected in (
            (root.key(Purpose.FEED), feed_key(text)),
            (root.key(Purpose.ASSERTION), assertion_key(text)),
        ):
            assert (key.kid, key.algorithm, key.public) == (None, "HS256", None)
            assert key.sign(MESSAGE) == hmac.digest(expected, MESSAGE, "sha256")
        assert root.sealing("x") == derived(text, "latchkey sealed value: x")


def test_they_stay_the_same_for_ever() -> None:
    """Who computed a key once must not need another one after an upgrade."""
    text = "correct-horse-battery-staple-0123"
    assert feed_key(text).hex() == FIXED["feed"]
    assert assertion_key(text).hex() == FIXED["assertion"]
    rfc8037 = {"crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    root = jwk.read({**rfc8037, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}, "a")
    assert [root.key(purpose).kid for purpose in DOCUMENTS] == FIXED["kids"]


FIXED: dict[str, Any] = {
    "feed": "d5012365bdfc42e9da3e7f00ae9e98347e1db3a451203470731b22345db78b21",
    "assertion": "1c6cdb6ad6a4517aab91ca3559dd6f93335aa141e0a6295efcfa041ae2bc6618",
    "kids": [
        "Yb1RpsZqthCwb8_7kw4yCmk0dmG-oEORSKh5BIykieU",
        "VF7ZXPr4Rm6cYKzW3sFjz6XqgcIf3amBu984TAydemk",
    ],
}


@ALL
def test_with_a_jwk_they_follow_from_its_private_part(name: str) -> None:
    root = jwk.read(JWKS[name], "a-name")
    for purpose in DOCUMENTS:
        key = root.key(purpose)
        assert key.public is not None
        private: Any
        if name == "EdDSA":
            seed = derived(JWKS[name]["d"], purpose.value)
            private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        else:
            scalar = hkdf_48(JWKS[name]["d"], purpose.value) % (P256_ORDER - 1) + 1
            private = ec.derive_private_key(scalar, ec.SECP256R1())
        library: Any = jwt.get_algorithm_by_name(key.algorithm)
        public = library.to_jwk(private.public_key(), as_dict=True)
        assert key.algorithm == ("EdDSA" if name == "EdDSA" else "ES256")
        assert {each: key.public[each] for each in ("kty", "crv", "x")} == {
            each: public[each] for each in ("kty", "crv", "x")
        }
        assert key.kid == key.public["kid"] == jwk.thumbprint(public)
        assert library.verify(MESSAGE, private.public_key(), key.sign(MESSAGE))


@ALL
def test_each_purpose_verifies_its_own_alone(name: str) -> None:
    for root in (jwk.read(JWKS[name], "a"), shared_secret.read(SECRET)):
        for signs in SIGNING:
            for verifies in SIGNING:
                signature = root.key(signs).sign(MESSAGE)
                assert root.key(verifies).verify(MESSAGE, signature) == (signs is verifies)


@ALL
def test_whoever_has_the_same_file_has_the_same_sets(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    """A plain set of another tool, without `kid`, `alg` and states, in two places."""
    private = ("kty", "crv", "x", "y", "d", "n", "e", "p", "q", "dp", "dq", "qi")
    plain = {each: JWKS[name][each] for each in private if each in JWKS[name]}
    rings = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "keys.json"
        path.write_text(json.dumps({"keys": [plain]}))
        rings.append(keys.load(settings(JWT_ALGORITHM=name, JWT_KEYS_FILE=str(path))))
    for purpose in SIGNING:
        one, two = (each.keys(purpose) for each in rings)
        assert (one.jwks, one.etag) == (two.jwks, two.etag)
        (public,) = json.loads(one.jwks)["keys"]
        assert not {"d", "p", "q", "k"} & public.keys()
        assert (public["kid"], public["use"]) == (one.signing.kid, "sig")


def test_no_key_is_in_two_sets() -> None:
    found: KeyRing = key_ring.of(*(jwk.read(each, name) for name, each in JWKS.items()))
    parts = [
        each.get("x") or each["n"]
        for purpose in SIGNING
        for each in json.loads(found.keys(purpose).jwks)["keys"]
    ]
    assert len(parts) == len(set(parts)) == 9


def test_with_a_secret_the_sets_have_the_keys_of_the_file_alone() -> None:
    found = key_ring.of(shared_secret.read(SECRET), shared_secret.read(STRONG))
    for purpose in SIGNING:
        assert json.loads(found.keys(purpose).jwks) == {"keys": []}
        assert len(found.keys(purpose).verifying) == 2
    assert len(found.sealing("x")) == len({*found.sealing("x")}) == 2


def test_the_types_ask_for_the_purpose(tmp_path: Path) -> None:
    """Mypy refuses a document without a purpose, and one with that of sessions."""
    program = """
from service.keys import DocumentPurpose, Purpose, SigningPurpose
from service.tokens.issuer import TokenIssuer

def good(tokens: TokenIssuer, purpose: DocumentPurpose) -> str:
    return tokens.sign_document(purpose, {}, audience="a")

def session(tokens: TokenIssuer) -> str:
    return tokens.sign_document(Purpose.SESSION, {}, audience="a")

def sealed(tokens: TokenIssuer) -> str:
    return tokens.sign_document(Purpose.SEALED, {}, audience="a")

def any_purpose(tokens: TokenIssuer, purpose: SigningPurpose) -> str:
    return tokens.sign_document(purpose, {}, audience="a")

def without(tokens: TokenIssuer) -> str:
    return tokens.sign_document({}, audience="a")

def for_nobody(tokens: TokenIssuer) -> str:
    return tokens.sign_document(Purpose.FEED, {})
"""
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-pretty", str(tmp_path / "program.py")],
        cwd=ROOT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "No module named mypy" in done.stderr:
        pytest.skip("mypy is not installed")
    refused = {line.split(":")[1] for line in done.stdout.splitlines() if ": error: " in line}
    functions = [number for number, line in enumerate(program.splitlines(), 1) if "return" in line]
    assert refused == {str(number) for number in functions[1:]}, done.stdout


def test_the_derived_key_is_not_a_part_of_the_secret() -> None:
    digest = hashlib.sha256(SECRET.encode()).digest()
    known = {feed_key(SECRET), assertion_key(SECRET), SECRET.encode()[:32], digest}
    assert len(known) == 4
