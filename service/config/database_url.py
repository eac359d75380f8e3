"""The database URL, parsed strictly."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote_to_bytes

from service.config import enclosed, files
from service.config.model import DatabaseUrl

_SHAPE = (
    "must be sqlite:///data/latchkey.db (four slashes: an absolute path)"
    " or postgresql://user:password@host:5432/name"
)
_POSTGRESQL = re.compile(
    r"postgres(?:ql)?://"
    r"(?:(?P<user>[^:@/?#\[\]]+)(?::(?P<password>[^:@/?#\[\]]*))?@)?"
    r"(?P<hosts>[^@/?#]*)"
    r"/(?P<name>[^/?#]+)"
    r"(?:\?(?P<options>[^?#]*))?"
)
_HOST = re.compile(r"(?:[A-Za-z0-9_.%-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_OPTIONS = {
    "sslmode": _SSL_MODES,
    "target_session_attrs": ("any", "read-write", "primary"),
    **dict.fromkeys(
        (
            "application_name", "channel_binding", "gssencmode", "host", "passfile", "require_auth",
            "sslcert", "sslcrl", "sslkey", "sslnegotiation", "sslrootcert",
        )
    ),
}  # fmt: skip
"""The libpq parameters allowed after `?`, with their allowed values if these are limited."""


def database(text: str) -> DatabaseUrl:
    """Parse `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://…/name`."""
    text = enclosed.without_ends(text).strip()
    if enclosed.is_quoted(text):
        raise ValueError(enclosed.QUOTED)
    if not text.isprintable():
        raise ValueError(f"contains a character that cannot be displayed; it {_SHAPE}")
    if text.startswith(("postgresql:", "postgres:")):
        return _postgresql(text)
    name = text.removeprefix("sqlite:///")
    bad = name == text or not name or name.endswith("/") or ":memory:" in name
    if bad or any(character in name for character in "?#\0"):
        raise ValueError(_SHAPE)
    return DatabaseUrl(url=text, shown=name, path=Path(name))


def _postgresql(text: str) -> DatabaseUrl:
    """Parse a URL as libpq does, without its ambiguous forms. Several hosts are allowed."""
    match = _POSTGRESQL.fullmatch(text)
    if match is None or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            f"{_SHAPE}; in the user, password and name, write all characters except letters, digits"
            " and -._~ as %XX"
        )
    if _BAD_ESCAPE.search(text) or not _is_text(text):
        raise ValueError("has an invalid percent escape: write % itself as %25")
    hosts = match["hosts"].split(",")
    if match["hosts"] and not all(_is_host(host) for host in hosts):
        raise ValueError(
            "must have hosts such as host, host:5432 or [::1]:5432, separated by commas"
        )
    _check_options(match["options"] or "")
    user = f"{match['user']}@" if match["user"] else ""
    return DatabaseUrl(url=text, shown=f"postgresql://{user}{match['hosts']}/{match['name']}")


def _check_options(text: str) -> None:
    try:
        given = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        given = [("", "")]
    names = [name for name, _ in given]
    strange = [name for name in names if name not in _OPTIONS]
    if strange or len(set(names)) != len(names):
        raise ValueError(
            f"allows these parameters after its ?, each once: {', '.join(sorted(_OPTIONS))}"
        )
    for name, value in given:
        allowed = _OPTIONS[name]
        if not value or (allowed and value not in allowed):
            raise ValueError(f"must set {name} to {' or '.join(allowed or ('a value',))}")


def _is_text(text: str) -> bool:
    """Return whether the percent escapes are UTF-8 without NUL."""
    try:
        return "\0" not in unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return False


def _is_host(text: str) -> bool:
    match = _HOST.fullmatch(text)
    return match is not None and (match["port"] is None or 1 <= int(match["port"]) <= 65535)


def database_in(path: Path) -> DatabaseUrl:
    """Read a URL from a file, as for DATABASE_URL_FILE. Raises ValueError."""
    faults: dict[str, str] = {}
    text = files.read_secret("", path, faults, files.Seen())
    if text is None:
        raise ValueError(faults[""])
    return database(text)
