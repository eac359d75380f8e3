"""Warnings about valid settings that are unsafe or do not work: the effect, and what to do."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from urllib.parse import parse_qsl, urlsplit

from service.config import forgotten, openid, permissions, public_providers
from service.config.model import Config
from service.parsing import client_address, harmless, urls
from service.parsing.client_address import Network

_DAY = 86400
_HOUR = 3600
_LONG = 30 * _DAY
_SHORTEST_PREFIX = {4: 12, 6: 20}
"""A larger network contains public addresses, unless it is private."""
_PRIVATE_4 = tuple(map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8")))
_PRIVATE_6 = tuple(map(IPv6Network, ("fc00::/7", "fe80::/10")))
WIDE_PROXIES = (
    "trusts proxies at public addresses ({networks}): clients there can forge any client address."
    " Set only the addresses of your proxies, such as 10.0.0.5/32"
)

Finding = tuple[str, str]
"""The name of a setting, and a warning that continues the name."""


def findings(config: Config) -> tuple[Finding, ...]:
    """Return the warnings for a valid configuration."""
    found = [
        *_networks(config),
        *_anywhere(config),
        *permissions.findings(config),
        *public_providers.findings(config),
        *openid.joined(config),
        *_choosable(config),
        *_several_that_create(config),
        *forgotten.findings(config),
        *_not_the_only_way(config),
        *_blank_ends(config),
        *_passkeys_by_address(config),
    ]
    if config.production:
        found += _in_production(config)
    return tuple(found)


def _blank_ends(config: Config) -> Iterator[Finding]:
    """Warn of blanks and invisible characters at the ends of a key, which are part of it."""
    keys = {
        "JWT_SECRET_KEY": config.jwt_secret_key,
        "JWT_SECRET_KEY_PREVIOUS": config.jwt_secret_key_previous,
    }
    for name, key in keys.items():
        if key and (key != key.strip() or not _has_visible_ends(key)):
            yield (
                name,
                (
                    "begins or ends with a blank or an invisible character, which is part of the"
                    " key. If other services share the key without it, they refuse the tokens:"
                    " remove it in all of them."
                ),
            )


def _has_visible_ends(key: str) -> bool:
    return harmless.is_visible(key[0]) and harmless.is_visible(key[-1])


def wide(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Return the networks that contain public addresses, merged where they are adjacent."""
    given = tuple(networks)
    merged: list[Network] = [
        *collapse_addresses(each for each in given if isinstance(each, IPv4Network)),
        *collapse_addresses(each for each in given if isinstance(each, IPv6Network)),
    ]
    return tuple(
        each
        for each in merged
        if each.prefixlen < _SHORTEST_PREFIX[each.version] and not _is_private(each)
    )


def _is_private(network: Network) -> bool:
    """Return whether a whole network is private. Python's `is_private` checks only its ends."""
    if isinstance(network, IPv4Network):
        return any(network.subnet_of(each) for each in _PRIVATE_4)
    return any(network.subnet_of(each) for each in _PRIVATE_6)


def shown(networks: Iterable[Network]) -> str:
    """Return networks as text."""
    return ", ".join(map(str, networks))


def _networks(config: Config) -> Iterator[Finding]:
    if proxies := wide(config.trusted_proxies):
        yield "TRUSTED_PROXIES", f"{WIDE_PROXIES.format(networks=shown(proxies))}."
    if config.bypass_auth and (strangers := wide(config.bypass_networks)):
        yield (
            "BYPASS_NETWORKS",
            (
                f"lets clients at public addresses ({shown(strangers)}) sign in as any user without"
                " a password. Set only your own network, such as 192.168.0.0/16."
            ),
        )


def _anywhere(config: Config) -> Iterator[Finding]:
    if config.bypass_auth and client_address.is_rebindable(urls.host_of(config.public_url)):
        yield (
            "PUBLIC_URL",
            (
                "is a public host name while BYPASS_AUTH is true, so the development sign-in works"
                " under it. Use localhost or a name that ends in .test, or set BYPASS_AUTH=false."
            ),
        )
    if config.revocation_max_staleness > min(_HOUR, config.jwt_expires_in):
        yield (
            "REVOCATION_MAX_STALENESS",
            (
                "accepts revoked tokens for over an hour, or for their whole lifetime, while the"
                " database is unavailable. Set at most some minutes, such as 60s."
            ),
        )


def _choosable(config: Config) -> Iterator[Finding]:
    """Warn if CAS trusts user names that accounts of other providers can claim first."""
    if config.cas_url and config.cas_trust_usernames and config.provision_users and config.openid:
        others = ", ".join(provider.name for provider in config.openid)
        yield (
            "CAS_TRUST_USERNAMES",
            (
                f"trusts names that accounts of other providers ({others}) can claim first, because"
                " PROVISION_USERS is true. The CAS account with such a name is then refused. Create"
                " the users of CAS beforehand, or set PROVISION_USERS=false."
            ),
        )


def _several_that_create(config: Config) -> Iterator[Finding]:
    """Warn if accounts of several providers become users with the e-mail addresses they report."""
    if config.provision_users and len(config.openid) > 1:
        yield (
            "PROVISION_USERS",
            (
                "creates users for the accounts of several providers. A provider can report the"
                " e-mail address of another provider's user first. Identify users by Remote-User,"
                " not by their address, or set PROVISION_USERS=false."
            ),
        )


def _passkeys_by_address(config: Config) -> Iterator[Finding]:
    """Warn if there are no passkeys, because the host of PUBLIC_URL is an IP address."""
    if config.passkey_auth and not config.offers_passkeys:
        yield (
            "PASSKEY_AUTH",
            (
                f"has no effect, because passkeys need a host name and PUBLIC_URL is"
                f" {config.public_url}. Set PUBLIC_URL to a URL with a host name, or set"
                " PASSKEY_AUTH=false."
            ),
        )


def _not_the_only_way(config: Config) -> Iterator[Finding]:
    """Warn if the sign-in page does not redirect, because there are several ways to sign in."""
    if not config.sign_in_redirect:
        return
    ways = [provider.name for provider in config.openid]
    ways += ["cas"] if config.cas_url else []
    ways += ["passwords"] if config.password_auth else []
    ways += ["passkeys"] if config.offers_passkeys else []
    ways += ["the development sign-in"] if config.bypass_auth else []
    if len(ways) > 1:
        yield (
            "SIGN_IN_REDIRECT",
            (
                f"has no effect, because there are several ways to sign in ({', '.join(ways)})."
                " Leave one of them on, or set SIGN_IN_REDIRECT=false."
            ),
        )


def _in_production(config: Config) -> Iterator[Finding]:
    if config.jwt_expires_in > _LONG:
        yield (
            "JWT_EXPIRES_IN",
            (
                "is longer than 30 days: a stolen token is valid for that time, unless you notice"
                " the theft. Set some hours, such as 6h."
            ),
        )
    insecure = sorted(each for each in config.allowed_redirects if each.startswith("http://"))
    if insecure:
        yield (
            "ALLOWED_REDIRECTS",
            (
                f"redirects from https to http ({', '.join(insecure)}): others on the network can"
                " read and change those pages. Use https:// URLs."
            ),
        )
    insecure = sorted(each for each in config.cors_origins if each.startswith("http://"))
    if insecure:
        yield (
            "CORS_ORIGINS",
            (
                f"trusts pages that are loaded by http ({', '.join(insecure)}): others on the"
                " network can change them, and use the API as the visitor. Use https:// URLs."
            ),
        )
    if config.database.path is None and _is_plain_remote(config.database.url):
        yield (
            "DATABASE_URL",
            (
                "names a server on another host without sslmode: the connection may be unencrypted."
                " Append ?sslmode=verify-full, or ?sslmode=disable on a private network."
            ),
        )


def _is_plain_remote(url: str) -> bool:
    """Return whether a PostgreSQL URL names a remote host and has no `sslmode`."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if "sslmode" in options:
        return False
    authority = parts.netloc.rpartition("@")[2]
    hosts = (options.get("host") or authority).split(",")
    return any(not _is_local(re.sub(r":[0-9]*$", "", host)) for host in hosts)


def _is_local(host: str) -> bool:
    name = host.strip("[]").replace("%2F", "/").replace("%2f", "/")
    address = client_address.address(name)
    is_loopback = address is not None and address.is_loopback
    return name in {"", "localhost"} or name.startswith("/") or is_loopback
