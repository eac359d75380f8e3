"""The verifiers in clients/ against a server that signs with the keys of a file."""

import json
from pathlib import Path

import jwt

from tests.support.client import ask, bearer, sign_in
from tests.support.issuer import signer
from tests.support.keyfiles import key, within
from tests.support.servers import Server
from tests.support.verifiers import Client, Make, outcome, seconds_until

STORES = ("sqlite",)  # no store has a part in this


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


def test_a_good_token_is_accepted_with_its_claims(make: Make, rotating: Server) -> None:
    client = verifier(make, rotating)
    token = sign_in(rotating.port)
    exchanged = ask(rotating.port, "/auth/token", headers=bearer(token)).json["token"]
    for each in (token, exchanged, token):
        assert jwt.get_unverified_header(each).keys() == {"alg", "typ", "kid"}
        claims = jwt.decode(each, options={"verify_signature": False})
        assert claims["username"] == "admin"
        assert client.verify(each) == {**claims, "stale_roles": False}
    assert key_fetches(rotating) == 1


def test_signed_out_is_refused_within_two_seconds(make: Make, rotating: Server) -> None:
    client = verifier(make, rotating)
    token, other = sign_in(rotating.port), sign_in(rotating.port)
    assert outcome(client, token) == "good"
    sign_out(rotating, token)
    seconds_until(client, token, "token_revoked", at_most=2)
    assert outcome(client, other) == "good"
    assert outcome(verifier(make, rotating), token) == "token_revoked"


def test_a_key_made_while_running_counts_from_its_first_token_on(
    make: Make, rotating: Server, path: Path
) -> None:
    client = verifier(make, rotating, refetch_seconds=0)
    old, gone = sign_in(rotating.port), sign_in(rotating.port)
    assert {outcome(client, old), outcome(client, gone)} == {"good"}
    new = publish(rotating, path)
    rotate(rotating, path, new)
    fresh = sign_in(rotating.port)
    assert jwt.get_unverified_header(fresh)["kid"] == new
    assert key_fetches(rotating) == 1
    seconds_until(client, fresh, "good")
    assert key_fetches(rotating) == 2
    assert outcome(client, old) == "good"
    for each in (gone, fresh):  # the feed is signed by the new key, and concerns tokens of both
        sign_out(rotating, each)
        seconds_until(client, each, "token_revoked", at_most=2)
    assert outcome(client, old) == "good"
    assert key_fetches(rotating) == 2


def test_a_key_that_was_published_in_time_is_not_waited_for(
    make: Make, rotating: Server, path: Path
) -> None:
    old, new = sign_in(rotating.port), publish(rotating, path)
    client = verifier(make, rotating)
    rotate(rotating, path, new)
    fresh = sign_in(rotating.port)
    assert jwt.get_unverified_header(fresh)["kid"] == new
    assert (outcome(client, fresh), outcome(client, old)) == ("good", "good")
    assert key_fetches(rotating) == 1


def test_a_key_that_came_at_once_delays_no_sign_out(
    make: Make, rotating: Server, path: Path
) -> None:
    client = verifier(make, rotating)
    token, foreign = sign_in(rotating.port), signer("foreign", "EdDSA").sign({})
    assert (outcome(client, token), outcome(client, foreign)) == ("good", "token_invalid")
    rotate(rotating, path, publish(rotating, path))
    sign_out(rotating, token)
    seconds_until(client, token, "token_revoked", at_most=2)


def test_a_foreign_key_is_refused_and_looked_for_once_a_minute(
    make: Make, rotating: Server
) -> None:
    token = sign_in(rotating.port)
    claims = jwt.decode(token, options={"verify_signature": False})
    stranger = signer("foreign", "EdDSA")
    forged = stranger.sign(claims, kid=jwt.get_unverified_header(token)["kid"])
    seen: set[tuple[str, ...]] = set()

    def ask_them_all(client: Client) -> bool:
        seen.add(tuple(outcome(client, each) for each in (stranger.sign(claims), forged, token)))
        return True

    client = verifier(make, rotating)
    within(20, lambda: ask_them_all(client) and polls(rotating) > 4)
    assert key_fetches(rotating) == 1  # at the start, less than a minute ago
    # Whoever allows it more often sees it looked for, and believes it no more than before.
    eager = verifier(make, rotating, refetch_seconds=0)
    within(20, lambda: ask_them_all(eager) and key_fetches(rotating) > 3)
    assert seen == {("token_invalid", "token_invalid", "good")}
