"""Signing keys from the shared secrets and the file of private JWKs."""

from service.config import Config
from service.keys import file, key_ring, shared_secret
from service.keys.file import BadFile
from service.keys.file_entry import SIGNING
from service.keys.jwk import ALGORITHMS
from service.keys.key import Key
from service.keys.key_ring import MAX_AGE, KeyRing, KeySet
from service.keys.purpose import DocumentPurpose, Purpose, SigningPurpose

__all__ = [
    "ALGORITHMS",
    "MAX_AGE",
    "BadFile",
    "DocumentPurpose",
    "Key",
    "KeyRing",
    "KeySet",
    "Purpose",
    "SigningPurpose",
    "load",
]


def load(config: Config) -> KeyRing:
    """Return the keys of the settings. All of them verify. Raises BadFile.

    In production, also raise it if other users can change the file.
    """
    texts = (config.jwt_secret_key, config.jwt_secret_key_previous)
    secrets = [shared_secret.read(text) for text in texts if text is not None]
    path, ours_alone = config.jwt_keys_file, config.production
    entries = () if path is None else file.read(path, ours_alone=ours_alone)
    filed = [entry.root for entry in entries if entry.root is not None]
    if config.jwt_algorithm == "HS256":
        return key_ring.of(*secrets, *filed)
    for entry in entries:
        if (entry.algorithm, entry.state) == (config.jwt_algorithm, SIGNING) and entry.root:
            return key_ring.of(entry.root, *filed, *secrets)
    assert config.jwt_keys_file is not None  # noqa: S101  # required by the settings
    raise BadFile(
        config.jwt_keys_file,
        f"no {config.jwt_algorithm} key signs; {file.HOW_TO} --algorithm {config.jwt_algorithm}",
    )
