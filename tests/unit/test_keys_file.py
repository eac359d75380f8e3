"""The file of keys: what spoils it, and which of its keys sign, verify and are public."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service import keys
from service.errors import Fault
from service.keys import Purpose, file, file_entry, jwk, shared_secret
from service.keys import key_ring as ring
from service.keys.purpose import SIGNING
from tests.support.environment import SECRET, Settings
from tests.unit.test_keys import ANOTHER, BAD_KEYS, GOOD, OTHER


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
