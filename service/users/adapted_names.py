"""The rule by which the name of an account at a provider becomes a user name."""

import re
import unicodedata

from service.errors import InvalidName
from service.users.names import normalize_username

_OTHERS = re.compile(r"[^a-z0-9._@+-]+")
_NO_START = "._@+-"
_MAX_LENGTH = 255
_UNSPLIT = str.maketrans(
    {
        "\u00e6": "ae", "\u0153": "oe", "\u00fe": "th",
        "\u00f0": "d", "\u0111": "d", "\u00f8": "o", "\u0142": "l", "\u0127": "h",
        "\u0131": "i", "\u0167": "t", "\u014b": "n", "\u0138": "k",
    }
)  # fmt: skip
"""The Latin letters of European languages that Unicode does not split into a letter and an accent:
ae, oe, thorn, eth, and the letters with a stroke.
"""


def adapted_username(name: str) -> str:
    """Return a user name for a new user. The result may be invalid, for example empty.

    A valid name only changes to lower case. Of others, the part after the last backslash counts.
    Letters lose their accents, and each run of other characters becomes one hyphen. Names that are
    too long are not cut.
    """
    try:
        return normalize_username(name)
    except InvalidName:
        if len(name) > _MAX_LENGTH:
            return ""
    plain = _decomposed(_decomposed(name.rpartition("\\")[2]).casefold()).translate(_UNSPLIT)
    return _OTHERS.sub("-", plain).lstrip(_NO_START).rstrip("-")


def _decomposed(text: str) -> str:
    """Return a text without the accents of its letters."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part))
