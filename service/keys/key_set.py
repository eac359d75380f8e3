"""Parse and serialize private JWK Sets."""

import json
from typing import Any

from service.keys import file_entry
from service.keys.file_entry import Entries
from service.parsing import strict_json

MAX_BYTES = 1 << 20
_NO_SET = 'the file is not a JWK Set: {"keys": [...]} (RFC 7517 section 5)'


def parse(data: bytes) -> Entries:
    """Return the keys of a set. Raises ValueError with all errors."""
    if len(data) > MAX_BYTES:
        raise ValueError("the file is over 1 MiB")
    try:
        document = strict_json.loads(data)
    except ValueError:
        raise ValueError("the file is not JSON (RFC 8259)") from None
    jwks = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(jwks, list):
        raise ValueError(_NO_SET)  # noqa: TRY004  # of the file, not of a program
    entries, faults = [], []
    for number, members in enumerate(jwks, 1):
        try:
            entries.append(file_entry.read(members, alone=_is_alone(members, jwks)))
        except ValueError as error:
            faults.append(f"{_name(members, number)} {error}")
    if faults:
        raise ValueError("\n  ".join(faults))
    file_entry.check_together(entries)
    return tuple(entries)


def _is_alone(members: Any, jwks: list[Any]) -> bool:
    """Return whether no other key of the set has the same type."""
    kinds = [other.get("kty") for other in jwks if isinstance(other, dict)]
    return isinstance(members, dict) and kinds.count(members.get("kty")) == 1


def _name(members: Any, number: int) -> str:
    """Return the name of a key for messages: its number, and its `kid` if printable."""
    kid = members.get("kid") if isinstance(members, dict) else None
    shown = isinstance(kid, str) and kid.isprintable() and 0 < len(kid) <= 128
    return f"key {number} ({kid})" if shown else f"key {number}"


def write(entries: Entries) -> bytes:
    """Serialize a set, and parse it again to make sure that it is readable."""
    jwks = [file_entry.write(entry) for entry in entries]
    data = (json.dumps({"keys": jwks}, indent=2) + "\n").encode()
    parse(data)
    return data
