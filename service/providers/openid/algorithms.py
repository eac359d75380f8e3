"""The accepted signature algorithms: asymmetric only, each with one type of key."""

_BY_KIND: dict[tuple[str, str | None], tuple[str, ...]] = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
}
_KIND = {name: kind for kind, names in _BY_KIND.items() for name in names}

ACCEPTED = frozenset(_KIND)
"""Without `none` and HMAC: a secret that clients know does not authenticate the provider."""


def fits(algorithm: str, key_type: object, curve: object) -> bool:
    """Return whether a key with this `kty` and `crv` fits the algorithm (RFC 8725 3.1)."""
    return _KIND.get(algorithm) == (key_type, curve)
