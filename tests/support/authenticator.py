"""A software authenticator: it answers as WebAuthn asks, and otherwise, as a test wants."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from service.parsing import base64url

UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
SOUND = UP | UV
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def text(data: bytes) -> str:
    """Return base64url."""
    return base64url.encode(data).decode()


def data(encoded: str) -> bytes:
    """Return the bytes of base64url."""
    return base64url.decode(encoded.encode())


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a key for ES256."""
    return ec.generate_private_key(ec.SECP256R1())


def cose(key: PrivateKey, **changes: Any) -> dict[Any, Any]:
    """Return the public key as COSE (RFC 9053). `changes` are by name, such as `alg`."""
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        numbers = public.public_numbers()
        size = (public.curve.key_size + 7) // 8
        curve = {"secp256r1": 1, "secp384r1": 2, "secp521r1": 3}[public.curve.name]
        made: dict[Any, Any] = {
            1: 2,
            3: -7,
            -1: curve,
            -2: numbers.x.to_bytes(size, "big"),
            -3: numbers.y.to_bytes(size, "big"),
        }
    elif isinstance(public, ed25519.Ed25519PublicKey):
        made = {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
    else:
        values = public.public_numbers()
        modulus = values.n.to_bytes((public.key_size + 7) // 8, "big")
        made = {1: 3, 3: -257, -1: modulus, -2: values.e.to_bytes(3, "big")}
    names = {"kty": 1, "alg": 3, "crv": -1, "x": -2, "y": -3}
    for name, value in changes.items():
        made[names[name]] = value
    return made


def with_response(credential: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return an answer with other members of its response; None removes one."""
    response = {**credential["response"], **members}
    kept = {name: value for name, value in response.items() if value is not None}
    return {**credential, "response": kept}


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Return a signature."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


@dataclass
class Authenticator:
    """A passkey of somebody at one origin."""

    origin: str
    rp_id: str = "localhost"
    key: PrivateKey = field(default_factory=new_key)
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    flags: int = SOUND
    count: int = 0
    aaguid: bytes = bytes(16)
    user_handle: str = ""

    def client_data(self, kind: str, for_challenge: str, /, **changes: Any) -> bytes:
        """Return the client data; a change to None removes a member."""
        members = {
            "type": kind,
            "challenge": for_challenge,
            "origin": self.origin,
            "crossOrigin": False,
            **changes,
        }
        kept = {name: value for name, value in members.items() if value is not None}
        return json.dumps(kept).encode()

    def auth_data(self, attested: bytes = b"", *, flags: int | None = None) -> bytes:
        """Return authenticator data."""
        flags = self.flags if flags is None else flags
        head = hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags])
        return head + self.count.to_bytes(4, "big") + attested

    def attested(self, public_key: bytes | None = None) -> bytes:
        """Return the attested credential data."""
        encoded = cbor2.dumps(cose(self.key)) if public_key is None else public_key
        length = len(self.credential_id).to_bytes(2, "big")
        return self.aaguid + length + self.credential_id + encoded

    def create(
        self,
        options: dict[str, Any],
        *,
        client_data: bytes | None = None,
        auth_data: bytes | None = None,
        attestation: bytes | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        """Return a `RegistrationResponseJSON` for creation options."""
        self.user_handle = options["user"]["id"]
        if client_data is None:
            client_data = self.client_data("webauthn.create", options["challenge"], **changes)
        if auth_data is None:
            auth_data = self.auth_data(self.attested(), flags=self.flags | AT)
        if attestation is None:
            attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": auth_data})
        return {
            "id": text(self.credential_id),
            "rawId": text(self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": text(client_data),
                "attestationObject": text(attestation),
                "transports": ["internal", "hybrid", "carrier-pigeon"],
            },
            "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
        }

    def get(
        self,
        options: dict[str, Any],
        *,
        client_data: bytes | None = None,
        auth_data: bytes | None = None,
        signature: bytes | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        """Return an `AuthenticationResponseJSON` for request options."""
        if client_data is None:
            client_data = self.client_data("webauthn.get", options["challenge"], **changes)
        if auth_data is None:
            auth_data = self.auth_data()
        if signature is None:
            signature = sign(self.key, auth_data + hashlib.sha256(client_data).digest())
        return {
            "id": text(self.credential_id),
            "rawId": text(self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": text(client_data),
                "authenticatorData": text(auth_data),
                "signature": text(signature),
                "userHandle": self.user_handle,
            },
            "clientExtensionResults": {},
        }
