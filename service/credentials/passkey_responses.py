"""Verify the answers of authenticators (WebAuthn Level 3), with py_webauthn.

The library verifies. Around it is a strict reader, because it accepts sloppy base64url, does not
read `crossOrigin` and `topOrigin`, and raises errors of other libraries for broken CBOR and keys.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import webauthn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from webauthn import helpers
from webauthn.helpers import structs
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Cose

from service.credentials.passkey_options import ALGORITHMS, TRANSPORTS, Party
from service.credentials.passkeys import NewPasskey, Passkey
from service.parsing import base64url, strict_json

_LONGEST: Mapping[str, int] = {
    "id": 1_023,  # WebAuthn Level 3, 4: Credential ID
    "clientDataJSON": 8_192,
    "attestationObject": 32_768,
    "authenticatorData": 4_096,
    "signature": 1_024,
    "userHandle": 64,
}
"""The maximum length of each member in bytes."""
_SHORTEST_ID = 16  # bytes: at least 100 random bits
_RSA_BITS = range(2048, 4097)


class Refused(Exception):
    """An answer that is not accepted. Its text is the reason, for the log: a constant."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verified sign-in says: the signature counter, and whether the key is backed up."""

    sign_count: int
    backed_up: bool


def challenge_of(credential: Mapping[str, Any]) -> str:
    """Return the challenge that an answer says it is for. Raises Refused."""
    challenge: str = _client_data(credential)["challenge"]
    return challenge


def credential_id_of(credential: Mapping[str, Any]) -> str:
    """Return the ID of the passkey that an answer says it is from. Raises Refused."""
    text = credential.get("id")
    if not isinstance(text, str) or credential.get("rawId") != text:
        raise Refused("id")
    _bytes({"id": text}, "id")
    return text


def verify_registration(
    party: Party, credential: Mapping[str, Any], challenge: str, *, user_handle: str
) -> NewPasskey:
    """Return the passkey of a `RegistrationResponseJSON`. Raises Refused."""
    credential_id = credential_id_of(credential)
    _require_same_origin(_client_data(credential))
    response = _response(credential)
    with _refusing():
        found = webauthn.verify_registration_response(
            credential=_copy(credential, "clientDataJSON", "attestationObject"),
            expected_challenge=base64url.decode(challenge.encode()),
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
        if not _is_usable(found.credential_public_key):
            raise Refused("key")
    if base64url.encode(found.credential_id).decode() != credential_id:
        raise Refused("id differs")
    if len(found.credential_id) < _SHORTEST_ID:
        raise Refused("id too short")
    transports = response.get("transports")
    return NewPasskey(
        user_handle=user_handle,
        credential_id=credential_id,
        public_key=base64url.encode(found.credential_public_key).decode(),
        sign_count=found.sign_count,
        backup_eligible=_is_eligible(found.credential_device_type),
        backed_up=found.credential_backed_up,
        aaguid=found.aaguid,
        transports=tuple(
            word
            for word in TRANSPORTS
            if isinstance(transports, list) and word in transports[: len(TRANSPORTS)]
        ),
    )


def verify_authentication(
    party: Party, credential: Mapping[str, Any], challenge: str, passkey: Passkey
) -> Verified:
    """Verify an `AuthenticationResponseJSON` by the stored key. Raises Refused.

    Does not compare the signature counter: that needs a transaction.
    """
    _require_same_origin(_client_data(credential))
    handle = base64url.encode(_bytes(_response(credential), "userHandle")).decode()
    if handle != passkey["user_handle"]:
        raise Refused("user handle")
    with _refusing():
        found = webauthn.verify_authentication_response(
            credential=_copy(credential, "clientDataJSON", "authenticatorData", "signature"),
            expected_challenge=base64url.decode(challenge.encode()),
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            credential_public_key=base64url.decode(passkey["public_key"].encode()),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    if _is_eligible(found.credential_device_type) != bool(passkey["backup_eligible"]):
        raise Refused("backup eligibility")
    return Verified(found.new_sign_count, found.credential_backed_up)


def _client_data(credential: Mapping[str, Any]) -> dict[str, Any]:
    """Return the client data (WebAuthn Level 3, 5.8.1), read strictly. Raises Refused."""
    try:
        found = strict_json.loads(_bytes(_response(credential), "clientDataJSON"))
    except (ValueError, RecursionError):
        raise Refused("client data") from None
    if not isinstance(found, dict):
        raise Refused("client data")
    if not all(isinstance(found.get(name), str) for name in ("type", "challenge", "origin")):
        raise Refused("client data")
    return found


def _require_same_origin(client_data: Mapping[str, Any]) -> None:
    """Refuse an answer from a frame on another site, which could hide what is asked for."""
    if client_data.get("crossOrigin", False) is not False or "topOrigin" in client_data:
        raise Refused("frame")


def _response(credential: Mapping[str, Any]) -> Mapping[str, Any]:
    response = credential.get("response")
    if not isinstance(response, dict):
        raise Refused("response")
    return response


def _bytes(members: Mapping[str, Any], name: str) -> bytes:
    """Return the bytes of a member in base64url. Raises Refused."""
    text = members.get(name)
    if not isinstance(text, str) or not text or len(text) > (_LONGEST[name] * 4 + 2) // 3:
        raise Refused(name)
    try:
        return base64url.decode(text.encode("ascii"))
    except ValueError:
        raise Refused(name) from None


def _copy(credential: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return what the library needs of an answer, after a strict look at each member."""
    response = _response(credential)
    for name in names:
        _bytes(response, name)
    return {
        "id": credential["id"],
        "rawId": credential["id"],
        "type": credential.get("type"),
        "response": {name: response[name] for name in names},
    }


@contextmanager
def _refusing() -> Iterator[None]:
    """Refuse an answer for every error of the libraries: they raise many kinds for broken input."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001  # any error means the same
        raise Refused(type(error).__name__) from None


def _is_usable(public_key: bytes) -> bool:
    """Return whether a COSE key is a sound key of the algorithm that it names."""
    decoded = helpers.decode_credential_public_key(public_key)
    key = helpers.decoded_public_key_to_cryptography(decoded)
    match decoded.alg:
        case Cose.ECDSA_SHA_256:
            return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
        case Cose.EDDSA:
            return isinstance(key, ed25519.Ed25519PublicKey)
        case Cose.RSASSA_PKCS1_v1_5_SHA_256:
            return isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS
    return False


def _is_eligible(kind: structs.CredentialDeviceType) -> bool:
    return kind is structs.CredentialDeviceType.MULTI_DEVICE
