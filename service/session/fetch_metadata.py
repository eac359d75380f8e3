"""The source of a browser request: Fetch Metadata (W3C), prefetch headers and `Origin`."""

from aiohttp import web

from service.parsing import client_address, urls
from service.web import context

_SITES = frozenset({"same-origin", "same-site", "cross-site", "none"})
_OWN = frozenset({"same-origin", "none"})
_SHOWN_OR_SCRIPTED = frozenset({"document", "iframe", "frame", "empty"})
"""The allowed destinations of a sign-in from a page of this site. `empty` is fetch()."""
_FRAMES = frozenset({"iframe", "frame"})
_PREFETCH_HEADERS = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_PREFETCH_WORDS = ("prefetch", "prerender", "preview")


def site(request: web.Request) -> str | None:
    """Return `Sec-Fetch-Site`, or None if the client does not send it.

    Unknown or several values count as `cross-site`, since no browser sends them.
    """
    value = _one(request, "Sec-Fetch-Site")
    return value if value is None or value in _SITES else "cross-site"


def came_from_another_site(request: web.Request) -> bool:
    """Return whether the browser reports another site as the source."""
    return site(request) == "cross-site"


def has_foreign_source(request: web.Request) -> bool:
    """Return whether the source of a request is a page of another origin.

    Browsers send `Sec-Fetch-Site`; older ones, and all on plain HTTP, only `Origin`. A request with
    neither header is not from a browser.
    """
    found = site(request)
    return has_foreign_origin(request) if found is None else found not in _OWN


def is_top_navigation(request: web.Request) -> bool:
    """Return whether the request is a navigation in a tab, not an image, frame, script or prefetch.

    A client without `Sec-Fetch-Mode` and `Sec-Fetch-Dest` is an older browser or not a browser.
    Browsers that report a sibling host as the source send both.
    """
    if is_prefetch(request) or has_foreign_origin(request):
        return False
    mode, dest = _one(request, "Sec-Fetch-Mode"), _one(request, "Sec-Fetch-Dest")
    if mode is None and dest is None:
        return site(request) in {None, *_OWN}
    return (mode, dest) == ("navigate", "document")


def is_background_load(request: web.Request) -> bool:
    """Return whether a browser loads this URL in the background: as an image, or as a prefetch.

    From another site, frames and scripted requests count too. From a sibling host or another port,
    only frames and no-cors requests count, because front ends in development use the others.
    """
    if is_prefetch(request):
        return True
    mode, dest = _one(request, "Sec-Fetch-Mode"), _one(request, "Sec-Fetch-Dest")
    if mode is None and dest is None:
        return False
    if came_from_another_site(request):
        return (mode, dest) != ("navigate", "document")
    if site(request) == "same-site" and (mode == "no-cors" or dest in _FRAMES):
        return True
    return dest is not None and dest not in _SHOWN_OR_SCRIPTED


def is_prefetch(request: web.Request) -> bool:
    """Return whether the request is a prefetch."""
    purposes = (
        value.lower() for name in _PREFETCH_HEADERS for value in request.headers.getall(name, ())
    )
    return any(word in purpose for purpose in purposes for word in _PREFETCH_WORDS)


def has_foreign_origin(request: web.Request) -> bool:
    """Return whether the request has an `Origin` other than ours (RFC 6454 section 7).

    Browsers serialize an origin in one way only, so it is not normalized. In production, only the
    origin of PUBLIC_URL is ours.
    """
    named = request.headers.getall("Origin", ())
    if not named:
        return False
    own = {request.app[context.CONFIG].public_url, _origin_in_development(request)}
    return len(named) > 1 or named[0] not in own


def _origin_in_development(request: web.Request) -> str | None:
    """Return the origin that a developer uses instead of PUBLIC_URL, such as another port.

    Excludes host names that are open to DNS rebinding. The scheme must be that of the connection,
    or the one from a trusted proxy.
    """
    config = request.app[context.CONFIG]
    hosts = request.headers.getall("Host", ())
    if config.production or len(hosts) != 1 or client_address.is_rebindable(hosts[0]):
        return None
    scheme = request.scheme
    if client_address.is_trusted(request.remote, config.trusted_proxies):
        scheme = _one(request, "X-Forwarded-Proto") or scheme
    return urls.origin(f"{scheme}://{hosts[0]}")


def _one(request: web.Request, name: str) -> str | None:
    """Return the value of a header in lower case, or None. Several values are joined."""
    values = request.headers.getall(name, ())
    return ", ".join(values).strip().lower() if values else None
