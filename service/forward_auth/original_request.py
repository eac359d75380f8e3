"""Parse forward-auth requests of reverse proxies, and the original request. No I/O.

Each proxy has one dialect: the original request is either in `X-Original-*` or in `X-Forwarded-*`,
never in both, so that a client cannot forge the headers of its proxy.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import parse_qsl

from service import errors
from service.parsing import urls
from service.users.names import ROLE

_METHOD = re.compile(r"[A-Z]{1,20}", re.ASCII)
_NAVIGATING = frozenset({"GET", "HEAD"})

Read = Callable[[str], Sequence[str]]
"""Returns every value of a header."""


@dataclass(frozen=True, slots=True)
class Original:
    """The original request. `url` is absolute and as the client sent it."""

    method: str
    url: str

    @property
    def host(self) -> str | None:
        """Host and port of the URL, as in `Host`; None if the URL is invalid."""
        origin = urls.origin_of(self.url)
        return None if origin is None else origin.partition("://")[2]

    @property
    def is_read(self) -> bool:
        """Whether the method is that of a page load. Only then the sign-in page is an answer."""
        return self.method in _NAVIGATING


def _in_x_original(read: Read) -> Original | None:
    for url in read("X-Original-URL"):
        _, is_absolute, rest = url.partition("://")
        if is_absolute:
            _require_host(re.split(r"[/?#]", rest, maxsplit=1)[0])
    return _original(read, "X-Original-Method", "X-Original-URL")


def _in_x_forwarded(read: Read) -> Original | None:
    for host in read("X-Forwarded-Host"):
        _require_host(host)
    return _original(
        read, "X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"
    )


def _require_host(text: str) -> None:
    """Raise ForwardInvalid unless `text` is one host, with or without a port."""
    if urls.origin(f"https://{text}") is None:
        raise errors.ForwardInvalid


def _original(read: Read, *names: str) -> Original | None:
    """Return the original request if each of its headers occurs exactly once, else None."""
    values = [read(name) for name in names]
    if any(len(each) != 1 for each in values):
        return None
    method, *address = (each[0] for each in values)
    if not _METHOD.fullmatch(method):
        return None
    if len(address) == 1:
        return Original(method, address[0])
    scheme, host, path = address
    return Original(method, f"{scheme}://{host}{path}") if path.startswith("/") else None


@dataclass(frozen=True, slots=True)
class Dialect:
    """The dialect of a proxy: the headers of the original request, and support of redirects.

    `original` raises ForwardInvalid for an invalid host, since proxies pass on the client's.
    """

    original: Callable[[Read], Original | None]
    redirects: bool


DIALECTS = MappingProxyType(
    {
        "nginx": Dialect(_in_x_original, redirects=False),
        "haproxy": Dialect(_in_x_original, redirects=False),
        "caddy": Dialect(_in_x_forwarded, redirects=True),
        "traefik": Dialect(_in_x_forwarded, redirects=True),
    }
)


@dataclass(frozen=True, slots=True)
class Question:
    """A forward-auth request. It requires one of `roles`, or all if `every`, or none.

    With `cookie_only`, bearer tokens are ignored: they are the application's own.
    """

    dialect: Dialect | None
    roles: frozenset[str]
    every: bool
    cookie_only: bool

    def is_met_by(self, held: Collection[str]) -> bool:
        """Return whether a caller with the roles `held` is allowed."""
        if not self.roles:
            return True
        return self.roles <= set(held) if self.every else not self.roles.isdisjoint(held)


@lru_cache(maxsize=1024)
def question(query: str) -> Question:
    """Parse the query of a proxy's configuration strictly. Raises ForwardInvalid."""
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=64
        )
    except ValueError:
        raise errors.ForwardInvalid from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    proxies, every = given.pop("proxy", []), given.pop("all", [])
    roles, credentials = given.pop("role", []), given.pop("credential", [])
    if (
        given
        or len(proxies) > 1
        or any(proxy not in DIALECTS for proxy in proxies)
        or every not in ([], ["1"])
        or credentials not in ([], ["cookie"])
        or not all(ROLE.fullmatch(role) for role in roles)
    ):
        raise errors.ForwardInvalid
    return Question(
        dialect=DIALECTS[proxies[0]] if proxies else None,
        roles=frozenset(roles),
        every=bool(every),
        cookie_only=bool(credentials),
    )
