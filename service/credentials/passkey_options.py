"""Options for authenticators (WebAuthn Level 3), with py_webauthn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import webauthn
from webauthn import helpers
from webauthn.helpers import structs
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Cose

from service.credentials.challenges import SECONDS
from service.credentials.passkeys import Passkey
from service.parsing import base64url

ALGORITHMS = [Cose.EDDSA, Cose.ECDSA_SHA_256, Cose.RSASSA_PKCS1_v1_5_SHA_256]
TRANSPORTS = {each.value: each for each in structs.AuthenticatorTransport}
_NAME = "Latchkey"


@dataclass(frozen=True, slots=True)
class Party:
    """The relying party: its RP ID, the host of PUBLIC_URL, and its origin, PUBLIC_URL."""

    rp_id: str
    origin: str


def request_options(party: Party, challenge: str) -> dict[str, Any]:
    """Return the `PublicKeyCredentialRequestOptionsJSON` of a sign-in with any passkey."""
    return helpers.options_to_json_dict(
        webauthn.generate_authentication_options(
            rp_id=party.rp_id,
            challenge=base64url.decode(challenge.encode()),
            timeout=SECONDS * 1000,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
    )


def creation_options(
    party: Party, challenge: str, *, user: Mapping[str, str], known: Sequence[Passkey]
) -> dict[str, Any]:
    """Return the `PublicKeyCredentialCreationOptionsJSON` of a new passkey.

    `user` has `handle`, `username` and `name`; authenticators that have one of the `known` passkeys
    make no other.
    """
    return helpers.options_to_json_dict(
        webauthn.generate_registration_options(
            rp_id=party.rp_id,
            rp_name=_NAME,
            user_id=base64url.decode(user["handle"].encode()),
            user_name=user["username"],
            user_display_name=user["name"],
            challenge=base64url.decode(challenge.encode()),
            timeout=SECONDS * 1000,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.REQUIRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[
                structs.PublicKeyCredentialDescriptor(
                    id=base64url.decode(each["credential_id"].encode()),
                    transports=[TRANSPORTS[word] for word in each["transports"].split()],
                )
                for each in known
            ],
            supported_pub_key_algs=ALGORITHMS,
        )
    )
