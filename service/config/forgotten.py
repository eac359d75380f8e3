"""Warnings about settings that are missing for applications on other hosts, behind a proxy."""

from collections.abc import Iterator

from service.config import parse
from service.config.model import Config
from service.parsing import urls

_TRUSTED = (
    "is empty, although COOKIE_DOMAIN is set for applications behind a proxy: /auth/verify then"
    " ignores which page was requested, so people get an error instead of the sign-in page, and the"
    " log shows the proxy's address for every client. Set the address of the proxy, such as"
    " 127.0.0.1/32."
)


def findings(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the name of each missing setting, and a warning that continues the name."""
    domain, own = config.cookie_domain, urls.host_of(config.public_url)
    outside = {
        host: shared
        for host in sorted({urls.host_of(each) for each in config.allowed_redirects} - {own})
        if (shared := _shared(own, host)) and not (domain and _has(domain, host))
    }
    if outside:
        widest = min(outside.values(), key=len)
        state = "is unset" if domain is None else f"is {domain}"
        yield (
            "COOKIE_DOMAIN",
            (
                f"{state}, but ALLOWED_REDIRECTS names other hosts ({', '.join(outside)}): browsers"
                " do not send them the session cookie, so people who signed in are sent to the"
                f" sign-in page again. Set COOKIE_DOMAIN={widest}."
            ),
        )
    if config.production and domain is not None and not config.trusted_proxies:
        yield "TRUSTED_PROXIES", _TRUSTED


def _shared(one: str, other: str) -> str:
    """Return the longest domain that has both hosts, or "" if they can share no cookie."""
    if urls.is_address(one) or urls.is_address(other):
        return ""
    labels = one.split(".")
    while labels:
        if _has(domain := ".".join(labels), other):
            return domain if _is_accepted(domain) else ""
        labels = labels[1:]
    return ""


def _is_accepted(domain: str) -> bool:
    """Return whether browsers accept a cookie for a domain: not for a public suffix."""
    try:
        return bool(parse.domain(domain))
    except ValueError:
        return False


def _has(domain: str, host: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
