"""Parsers of setting values. Each returns the value or raises ValueError with the expected form."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

from publicsuffixlist import PublicSuffixList

from service.config import commas
from service.config.model import RoleRule
from service.parsing import urls
from service.parsing.client_address import Network

_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}")
_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,253}")
_YEAR = 365 * 86400
_MAX_WORKERS = 128
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_PROXY_LOGIN = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%-]+(:[A-Za-z0-9._~!$&'()*+,;=%-]*)?")
_ROLE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}")


def boolean(text: str) -> bool:
    """Parse `true` or `false`."""
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def duration(text: str) -> int:
    """Parse `90s`, `15m`, `6h`, `7d` or plain seconds: whole seconds, 1 second to 365 days."""
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 1 <= seconds <= _YEAR:
        raise ValueError("must be a duration such as 90s, 15m, 6h or 7d, at most 365d")
    return seconds


def port(text: str) -> int:
    """Parse a TCP port."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("must be a port number from 1 to 65535")
    return int(text)


def workers(text: str) -> int:
    """Parse a number of processes."""
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= _MAX_WORKERS:
        raise ValueError(f"must be a number from 1 to {_MAX_WORKERS}; use at most one per core")
    return int(text)


def password_length(text: str) -> int:
    """Parse the minimum length of new passwords."""
    if not re.fullmatch(r"[0-9]{1,2}", text) or not 8 <= int(text) <= 64:
        raise ValueError("must be a number from 8 to 64; 15 is recommended")
    return int(text)


def host(text: str) -> str:
    """Check an IP address or host name to listen on."""
    try:
        text.encode("idna")
    except UnicodeError:
        text = ""
    if not _HOST.fullmatch(text):
        raise ValueError("must be an IP address or a host name to listen on, such as 127.0.0.1")
    return text


def choice(*options: str) -> Callable[[str], str]:
    """Return a parser of one of the options. It ignores case and returns the given spelling."""
    by_lower = {option.lower(): option for option in options}

    def parse(text: str) -> str:
        try:
            return by_lower[text.lower()]
        except KeyError:
            raise ValueError(f"must be {' or '.join(options)}") from None

    return parse


def samesite(text: str) -> str:
    """Parse `Strict` or `Lax`."""
    if text.lower() == "none":
        raise ValueError(
            "must be Strict or Lax; None would send the cookie with cross-site requests"
        )
    return choice("Strict", "Lax")(text)


def cookie_name(text: str) -> str:
    """Check a cookie name (RFC 6265 section 4.1.1)."""
    if not _COOKIE_NAME.fullmatch(text):
        raise ValueError("must be a cookie name: letters, digits and -_. , at most 64 characters")
    return text


def domain(text: str) -> str:
    """Parse a domain that is neither an IP address nor a public suffix (RFC 6265 section 5.3)."""
    name = text.lower().removeprefix(".")
    if not _DOMAIN.fullmatch(name) or len(name) > 253:
        raise ValueError("must be a domain name such as example.org, in ASCII form")
    if urls.is_address(name):
        raise ValueError("must be a domain such as example.org: browsers reject IP addresses here")
    if PublicSuffixList().is_public(name):
        raise ValueError(
            f"must be your own domain: {name} is a public suffix, so anyone can register a name"
            " under it and browsers reject its cookies"
        )
    return name


def origin(text: str) -> str:
    """Parse `http(s)://host[:port]`. Returns lower case, without default port or final slash."""
    parsed = urls.origin(text.removesuffix("/"))
    if parsed is None:
        raise ValueError(
            "must be a URL such as https://auth.example.org, without path or user name"
        )
    return parsed


def address(text: str) -> str:
    """Parse `http(s)://host[:port][/path]`. Returns it without a final slash."""
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    base = urls.origin(f"{scheme}{separator}{authority}")
    if base is None or not _PATH.fullmatch(slash + path):
        raise ValueError("must be a URL such as https://cas.example.org/cas, without a query")
    return base + (slash + path).removesuffix("/")


def proxy(text: str) -> str:
    """Parse `http://[user:password@]host:port` of an HTTP proxy."""
    scheme, separator, rest = text.removesuffix("/").partition("://")
    login, at, authority = rest.rpartition("@")
    base = urls.origin(f"{scheme}{separator}{authority}")
    if base is None or scheme.lower() != "http" or (at and not _PROXY_LOGIN.fullmatch(login)):
        raise ValueError(
            "must be the URL of an HTTP proxy such as http://proxy.example.org:3128, with"
            " user:password@ before the host if the proxy requires them, percent-encoded"
        )
    return base.replace("://", f"://{login}{at}", 1)


def role_rules(text: str) -> tuple[RoleRule, ...]:
    """Parse `role=value; role=value`. A value may contain `=` and `,`, as LDAP names do."""
    rules = []
    for part in filter(None, map(str.strip, text.split(";"))):
        role, separator, value = part.partition("=")
        if not separator or not _ROLE.fullmatch(role.strip()) or not value.strip():
            raise ValueError(
                "must be rules such as manage_documents=staff; manage_users=cn=it,dc=example"
            )
        commas.check(value.strip(), "rules")
        rules.append(RoleRule(role.strip(), value.strip()))
    return tuple(rules)


def origins(text: str) -> frozenset[str]:
    """Parse origins, separated by commas."""
    try:
        return frozenset(origin(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError(
            "must be URLs such as https://app.example.org, separated by commas"
        ) from None


def networks(text: str) -> tuple[Network, ...]:
    """Parse networks in CIDR notation or single addresses, separated by commas."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(
            f"must be networks such as 10.0.0.0/8 or ::1/128, separated by commas ({error})"
        ) from None


def audience(text: str) -> str:
    """Check a StringOrURI (RFC 7519 section 2)."""
    if not text.isprintable() or len(text) > 255:
        raise ValueError("must be a name or a URL of at most 255 printable characters")
    return text


def path(text: str) -> Path:
    """Parse the path of a file, which may not exist yet."""
    if "\0" in text or text.endswith("/"):
        raise ValueError("must be the path of a file, such as data/keys.json")
    return Path(text)
