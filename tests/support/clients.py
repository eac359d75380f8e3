"""The verifiers in clients/, with a server or with an issuer that says what a test wants."""

from collections.abc import Iterator

import pytest

from tests.support.issuer import Issuer, feed_signer, signer

FEED_PATH, KEYS_PATH = "/auth/revocations", "/.well-known/jwks.json"
ED, EC, RSA, STRANGER = signer("ed", "EdDSA"), signer("ec"), signer("rsa", "RS256"), signer("ec")
FEED_ED = feed_signer(ED)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Yield an issuer with a key of each kind; it signs its feed with the first."""
    issuer = Issuer(ED, EC, RSA)
    issuer.feed[0] = FEED_ED
    yield issuer
    issuer.close()
