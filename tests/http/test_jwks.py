"""The public keys over HTTP: what is in the set, how long it may be kept; nothing leaks."""

import json
import shutil
from pathlib import Path

import jwt
import pytest

from tests.http.test_connection import assert_safe
from tests.support.client import ask, sign_in
from tests.support.commands import command
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

PATHS = (
    "/.well-known/jwks.json",
    "/.well-known/feed-jwks.json",
    "/.well-known/assertion-jwks.json",
)
EACH = pytest.mark.parametrize("path", PATHS)
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "latchkey"}


@pytest.fixture(scope="module", params=["EdDSA", "ES256", "RS256"])
def signed(
    request: pytest.FixtureRequest, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Server:
    """Return a server whose key file has a key that signs and one that is published."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    environ = {"JWT_ALGORITHM": request.param, "JWT_KEYS_FILE": str(path)}
    for _ in range(2):
        assert command(path.parent, "key", "generate", **environ).returncode == 0
    return start(**environ, JWT_SECRET_KEY="")


@EACH
def test_for_hs256_the_set_is_empty(server: Server, path: str) -> None:
    answer = ask(server.port, path)
    assert (answer.status, answer.json) == (200, {"keys": []})
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "public, max-age=600"
    assert_safe(answer)


@EACH
def test_the_set_has_the_public_parts_of_all_keys_and_no_more(signed: Server, path: str) -> None:
    answer = ask(signed.port, path)
    assert answer.status == 200
    assert len(answer.json["keys"]) == 2
    algorithm = signed.environ["JWT_ALGORITHM"]
    derived = "ES256" if algorithm == "RS256" else algorithm
    expected = algorithm if path == PATHS[0] else derived
    for key in answer.json["keys"]:
        assert not PRIVATE & key.keys()
        assert (key["use"], key["alg"]) == ("sig", expected)
    secrets = json.loads(Path(signed.environ["JWT_KEYS_FILE"]).read_text())["keys"]
    assert not any(secret["d"] in answer.text + signed.log() for secret in secrets)


def test_any_jwt_library_verifies_by_the_set(signed: Server) -> None:
    token = sign_in(signed.port)
    found = jwt.PyJWKSet.from_dict(ask(signed.port, PATHS[0]).json)
    header = jwt.get_unverified_header(token)
    assert list(header) == ["alg", "kid", "typ"]
    claims = jwt.decode(token, found[header["kid"]], algorithms=[header["alg"]], issuer=signed.url)
    assert claims["username"] == "admin"


@EACH
def test_a_conditional_get_costs_nothing_while_the_keys_stay(signed: Server, path: str) -> None:
    first = ask(signed.port, path)
    tag = first["ETag"]
    assert tag == ask(signed.port, path)["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = ask(signed.port, path, headers={"If-None-Match": known})
        assert (answer.status, answer.body) == (304, b"")
        assert (answer["ETag"], answer["Cache-Control"]) == (tag, "public, max-age=600")
        assert_safe(answer)
    for known in ('"other"', tag.strip('"'), "", '"', "W/", "\u00e9"):
        answer = ask(signed.port, path, headers={"If-None-Match": known})
        assert (answer.status, answer.body) == (200, first.body)


@EACH
def test_head_says_the_same_without_a_body(signed: Server, path: str) -> None:
    head, get = ask(signed.port, path, "HEAD"), ask(signed.port, path)
    assert (head.status, head.body) == (200, b"")
    assert [head[name] for name in ("ETag", "Content-Type", "Content-Length")] == [
        get[name] for name in ("ETag", "Content-Type", "Content-Length")
    ]
    assert ask(signed.port, path, "POST").status == 405


@EACH
def test_two_replicas_that_share_the_file_serve_the_same_bytes(
    signed: Server, start: Start, tmp_path: Path, path: str
) -> None:
    shutil.copy(signed.environ["JWT_KEYS_FILE"], tmp_path / "keys.json")
    algorithm = signed.environ["JWT_ALGORITHM"]
    other = start(JWT_ALGORITHM=algorithm, JWT_KEYS_FILE=str(tmp_path / "keys.json"))
    one, two = ask(signed.port, path), ask(other.port, path)
    assert (one.body, one["ETag"]) == (two.body, two["ETag"])
