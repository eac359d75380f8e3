"""The verifiers in clients/ against a server that signs with the keys of a file."""

import json
from pathlib import Path

import jwt
import pytest

from tests.client import ask, bearer, sign_in
from tests.conftest import Server, Start
from tests.issuer import signer
from tests.test_keywatch import key, within
from tests.verifiers import Client, Make, outcome, seconds_until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a key file with one key that signs."""
    made = tmp_path / "keys.json"
    key(made, "generate")
    return made


@pytest.fixture
def latchkey(start: Start, path: Path) -> Server:
    """Return a server without a secret. Its log has nobody's requests but those of one test."""
    return start(JWT_ALGORITHM="EdDSA", JWT_KEYS_FILE=str(path), JWT_SECRET_KEY="")


def verifier(make: Make, server: Server, **options: float) -> Client:
    """Return a verifier that knows no more than where the server is."""
    return make(server.url, accept_bypass=True, **options)


def publish(server: Server, path: Path) -> str:
    """Make a key, wait until the server has read it, and return its name."""
    read = server.log().count("keys_read")
    kid = str(json.loads(key(path, "generate", "--json"))["kid"])
    within(5, lambda: server.log().count("keys_read") > read)
    return kid


def rotate(server: Server, path: Path, kid: str) -> None:
    """Let that key sign, at once, and wait until it does."""
    key(path, "rotate", "--force")
    within(5, lambda: f"signing={kid}" in server.log())


def key_fetches(server: Server) -> int:
    """How often somebody has read the key set."""
    return server.log().count("path=/.well-known/jwks.json")


def polls(server: Server) -> int:
    """How often somebody has asked what was taken back."""
    return server.log().count("path=/auth/revocations")


def sign_out(server: Server, token: str) -> None:
    assert ask(server.port, "/auth/logout", "POST", headers=bearer(token)).status == 302


def test_a_good_token_is_accepted_with_its_claims(make: Make, latchkey: Server) -> None:
    client = verifier(make, latchkey)
    token = sign_in(latchkey.port)
    exchanged = ask(latchkey.port, "/auth/token", headers=bearer(token)).json["token"]
    for each in (token, exchanged, token):
        assert jwt.get_unverified_header(each).keys() == {"alg", "typ", "kid"}
        claims = jwt.decode(each, options={"verify_signature": False})
        assert claims["username"] == "admin"
        assert client.verify(each) == {**claims, "stale_roles": False}
    assert key_fetches(latchkey) == 1


def test_signed_out_is_refused_within_two_seconds(make: Make, latchkey: Server) -> None:
    client = verifier(make, latchkey)
    token, other = sign_in(latchkey.port), sign_in(latchkey.port)
    assert outcome(client, token) == "good"
    sign_out(latchkey, token)
    seconds_until(client, token, "token_revoked", at_most=2)
    assert outcome(client, other) == "good"
    assert outcome(verifier(make, latchkey), token) == "token_revoked"


def test_a_key_made_while_running_counts_from_its_first_token_on(
    make: Make, latchkey: Server, path: Path
) -> None:
    client = verifier(make, latchkey, refetch_seconds=0)
    old, gone = sign_in(latchkey.port), sign_in(latchkey.port)
    assert {outcome(client, old), outcome(client, gone)} == {"good"}
    new = publish(latchkey, path)
    rotate(latchkey, path, new)
    fresh = sign_in(latchkey.port)
    assert jwt.get_unverified_header(fresh)["kid"] == new
    assert key_fetches(latchkey) == 1
    seconds_until(client, fresh, "good")
    assert key_fetches(latchkey) == 2
    assert outcome(client, old) == "good"
    for each in (gone, fresh):  # the feed is signed by the new key, and concerns tokens of both
        sign_out(latchkey, each)
        seconds_until(client, each, "token_revoked", at_most=2)
    assert outcome(client, old) == "good"
    assert key_fetches(latchkey) == 2


def test_a_key_that_was_published_in_time_is_not_waited_for(
    make: Make, latchkey: Server, path: Path
) -> None:
    old, new = sign_in(latchkey.port), publish(latchkey, path)
    client = verifier(make, latchkey)
    rotate(latchkey, path, new)
    fresh = sign_in(latchkey.port)
    assert jwt.get_unverified_header(fresh)["kid"] == new
    assert (outcome(client, fresh), outcome(client, old)) == ("good", "good")
    assert key_fetches(latchkey) == 1


def test_a_key_that_came_at_once_delays_no_sign_out(
    make: Make, latchkey: Server, path: Path
) -> None:
    client = verifier(make, latchkey)
    token, foreign = sign_in(latchkey.port), signer("foreign", "EdDSA").sign({})
    assert (outcome(client, token), outcome(client, foreign)) == ("good", "token_invalid")
    rotate(latchkey, path, publish(latchkey, path))
    sign_out(latchkey, token)
    seconds_until(client, token, "token_revoked", at_most=2)


def test_a_foreign_key_is_refused_and_looked_for_once_a_minute(
    make: Make, latchkey: Server
) -> None:
    token = sign_in(latchkey.port)
    claims = jwt.decode(token, options={"verify_signature": False})
    stranger = signer("foreign", "EdDSA")
    forged = stranger.sign(claims, kid=jwt.get_unverified_header(token)["kid"])
    seen: set[tuple[str, ...]] = set()

    def ask_them_all(client: Client) -> bool:
        seen.add(tuple(outcome(client, each) for each in (stranger.sign(claims), forged, token)))
        return True

    client = verifier(make, latchkey)
    within(20, lambda: ask_them_all(client) and polls(latchkey) > 4)
    assert key_fetches(latchkey) == 1  # at the start, less than a minute ago
    # Whoever allows it more often sees it looked for, and believes it no more than before.
    eager = verifier(make, latchkey, refetch_seconds=0)
    within(20, lambda: ask_them_all(eager) and key_fetches(latchkey) > 3)
    assert seen == {("token_invalid", "token_invalid", "good")}
