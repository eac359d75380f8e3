"""The client address: the peer of the connection, or the address from a trusted proxy."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
MOST_HOPS = 50
_ADDRESS_LENGTH = 64
_FORWARDING = frozenset({"forwarded", "x-real-ip", "via"})
_UNREGISTRABLE = frozenset({"localhost", "test", "example", "invalid", "local", "internal"})


def address(text: str | None) -> Address | None:
    """Parse an IP address. IPv4-mapped IPv6 addresses become IPv4. None if it is invalid."""
    return None if text is not None and len(text) > _ADDRESS_LENGTH else _address(text)


@lru_cache(maxsize=4096)
def _address(text: str | None) -> Address | None:
    try:
        parsed = ip_address(text or "")
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def is_within(caller: Address | None, networks: Iterable[Network]) -> bool:
    """Return whether an address is in one of the networks."""
    return caller is not None and any(caller in network for network in networks)


@lru_cache(maxsize=4096)
def is_trusted(peer: str | None, trusted: tuple[Network, ...]) -> bool:
    """Return whether the peer of a connection is a trusted proxy."""
    return is_within(address(peer), trusted)


def is_forwarded(header_names: Iterable[str]) -> bool:
    """Return whether headers show a proxy: `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `Via`."""
    return any(
        lower in _FORWARDING or lower.startswith("x-forwarded-")
        for lower in map(str.lower, header_names)
    )


def client(
    peer: Address | None, forwarded_for: Sequence[str], trusted: Sequence[Network]
) -> Address | None:
    """Return the client address, or None if a trusted proxy does not name it.

    `forwarded_for` are the values of `X-Forwarded-For`. They are read from the right and skip
    trusted proxies. Everything left of the first other address is untrusted.
    """
    if not forwarded_for or not is_within(peer, trusted):
        return peer
    hop: Address | None = peer
    # Beyond the limit, the rest is one string, which is not an address.
    for text in reversed(",".join(forwarded_for).rsplit(",", MOST_HOPS)):
        # A zone ID is only valid on one machine.
        is_long = len(text) > _ADDRESS_LENGTH
        hop = None if is_long or "%" in text else address(text.strip())
        if not is_within(hop, trusted):
            return hop
    return hop


def is_rebindable(host: str) -> bool:
    """Return whether a `Host` is open to DNS rebinding, as a name of the public DNS."""
    name = _without_port(host).rstrip(".").lower()
    if address(name.strip("[]")) is not None or "." not in name:
        return False
    return name.rpartition(".")[2] not in _UNREGISTRABLE


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host
