"""The signatures that are accepted: asymmetric ones alone, each by its one kind of key."""

_BY_KIND: dict[tuple[str, str | None], tuple[str, ...]] = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
}
_KIND = {name: kind for kind, names in _BY_KIND.items() for name in names}

ACCEPTED = frozenset(_KIND)
"""Neither `none` nor HMAC: a secret that a client knows proves nothing of the provider."""


def fits(algorithm: str, key_type: object, curve: object) -> bool:
    """Tell whether a key of this `kty` and `crv` is one for the algorithm (RFC 8725 3.1)."""
    return _KIND.get(algorithm) == (key_type, curve)
