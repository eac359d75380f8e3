"""Encrypted values that a browser stores for us and can neither read nor change."""

import re
import time
from collections.abc import Callable
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from service.keys import KeyRing
from service.parsing import base64url

_TEXT = re.compile(r"[A-Za-z0-9_-]{1,16384}", re.ASCII)


class EncryptedValues:
    """Encrypts with a key derived from the signing key, decrypts with those of all keys.

    So replicas can decrypt each other's values, also during a key rotation. A value for one purpose
    cannot be decrypted for another. `clock` returns seconds since 1970.
    """

    def __init__(self, keys: KeyRing, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.use(keys)

    def use(self, keys: KeyRing) -> None:
        """Use these keys from now on."""
        self._keys = keys

    def now(self) -> int:
        """Return the time in seconds since 1970."""
        return int(self._clock())

    def encrypt(self, purpose: str, value: Any) -> str:
        """Return an encrypted JSON value as text for a cookie."""
        data = orjson.dumps(value)
        sealed = self._fernet(purpose).encrypt_at_time(data, self.now())
        return sealed.rstrip(b"=").decode()

    def decrypt(self, purpose: str, text: str, *, max_age: int) -> Any | None:
        """Return a value for this purpose that is at most `max_age` seconds old, else None."""
        if not _TEXT.fullmatch(text):  # the library ignores characters outside its alphabet
            return None
        padded = text + "=" * (-len(text) % 4)
        try:
            data = self._fernet(purpose).decrypt_at_time(padded, max_age, self.now())
        except (InvalidToken, ValueError):
            return None
        return orjson.loads(data)

    def _fernet(self, purpose: str) -> MultiFernet:
        """Derive the keys of a purpose. Not cached, since each attempt has its own purpose."""
        keys = self._keys.sealing(purpose)
        return MultiFernet([Fernet(base64url.encode(key) + b"=") for key in keys])
