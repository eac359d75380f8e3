"""Sealed values: what a browser keeps for us for a while, and can neither read nor change."""

import re
import time
from collections.abc import Callable
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from service.keys import KeyRing
from service.parsing import base64url

_TEXT = re.compile(r"[A-Za-z0-9_-]{1,8192}", re.ASCII)


class EncryptedValues:
    """Seals by a key derived from the root that signs, opens by those of all roots of the ring.

    So every replica opens what another sealed, and rotating keys loses nothing. What was sealed for
    one purpose cannot be opened for another. `clock` says seconds since 1970.
    """

    def __init__(self, keys: KeyRing, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.use(keys)

    def use(self, keys: KeyRing) -> None:
        """Seal and open with these keys from now on."""
        self._keys = keys

    def now(self) -> int:
        """Return the time in seconds since 1970."""
        return int(self._clock())

    def encrypt(self, purpose: str, value: Any) -> str:
        """Return a value of JSON as a text that fits into a cookie."""
        data = orjson.dumps(value)
        sealed = self._fernet(purpose).encrypt_at_time(data, self.now())
        return sealed.rstrip(b"=").decode()

    def decrypt(self, purpose: str, text: str, *, max_age: int) -> Any | None:
        """Return what was encrypted for this purpose at most `max_age` seconds ago, else None."""
        if not _TEXT.fullmatch(text):  # the library reads over what is not of its alphabet
            return None
        padded = text + "=" * (-len(text) % 4)
        try:
            data = self._fernet(purpose).decrypt_at_time(padded, max_age, self.now())
        except (InvalidToken, ValueError):
            return None
        return orjson.loads(data)

    def _fernet(self, purpose: str) -> MultiFernet:
        """Derive the keys of a purpose. There is one for each attempt: none is remembered."""
        keys = self._keys.sealing(purpose)
        return MultiFernet([Fernet(base64url.encode(key) + b"=") for key in keys])
