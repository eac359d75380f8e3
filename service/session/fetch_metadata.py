"""How a browser came to send a request: Fetch Metadata (W3C), prefetch headers and `Origin`."""

from aiohttp import web

from service.parsing import client_address, urls
from service.web import context

_SITES = frozenset({"same-origin", "same-site", "cross-site", "none"})
_OWN = frozenset({"same-origin", "none"})
_SHOWN_OR_SCRIPTED = frozenset({"document", "iframe", "frame", "empty"})
"""What a page of this site may load a sign-in as: `empty` is fetch()."""
_FRAMES = frozenset({"iframe", "frame"})
_PREFETCH_HEADERS = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_PREFETCH_WORDS = ("prefetch", "prerender", "preview")


def site(request: web.Request) -> str | None:
    """Return `Sec-Fetch-Site`, or None if the client does not send it.

    Anything but one known value counts as `cross-site`: no browser sends it.
    """
    value = _one(request, "Sec-Fetch-Site")
    return value if value is None or value in _SITES else "cross-site"


def came_from_another_site(request: web.Request) -> bool:
    """Tell whether a browser says that a page of another site led here."""
    return site(request) == "cross-site"


def has_foreign_source(request: web.Request) -> bool:
    """Tell whether another page than ours made a browser send a request.

    Browsers name the site in `Sec-Fetch-Site`; older ones, and all of them on plain http, only
    `Origin`. A request with neither header is not from a browser.
    """
    found = site(request)
    return has_foreign_origin(request) if found is None else found not in _OWN


def is_top_navigation(request: web.Request) -> bool:
    """Tell whether a person opens this address in a tab: no image, frame, script or prefetch.

    A client that sends neither `Sec-Fetch-Mode` nor `Sec-Fetch-Dest` is an older browser or no
    browser. One that names a sibling host as the source sends both.
    """
    if is_prefetch(request) or has_foreign_origin(request):
        return False
    mode, dest = _one(request, "Sec-Fetch-Mode"), _one(request, "Sec-Fetch-Dest")
    if mode is None and dest is None:
        return site(request) in {None, *_OWN}
    return (mode, dest) == ("navigate", "document")


def is_background_load(request: web.Request) -> bool:
    """Tell whether a browser loads this address without showing it: as an image, or in advance.

    From another site, frames and scripted requests count too. From a sibling host, or another port,
    only frames and requests that cannot read the answer do: front ends of developers use the rest.
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
    """Tell whether a browser loads this address before a person opens it."""
    purposes = (
        value.lower() for name in _PREFETCH_HEADERS for value in request.headers.getall(name, ())
    )
    return any(word in purpose for purpose in purposes for word in _PREFETCH_WORDS)


def has_foreign_origin(request: web.Request) -> bool:
    """Tell whether an `Origin` is named, and is not ours (RFC 6454 section 7).

    Browsers write an origin in one way only, so spellings are not normalised. In production ours is
    that of PUBLIC_URL alone.
    """
    named = request.headers.getall("Origin", ())
    if not named:
        return False
    own = {request.app[context.CONFIG].public_url, _origin_in_development(request)}
    return len(named) > 1 or named[0] not in own


def _origin_in_development(request: web.Request) -> str | None:
    """Return the origin that a developer uses instead of PUBLIC_URL: 127.0.0.1, another port.

    Not a name that a stranger can point at us (DNS rebinding), and only with the scheme by which
    the request came: that of the connection, or the one that a trusted proxy names.
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
    """Return the value of a header in lower case, None without it; several are joined."""
    values = request.headers.getall(name, ())
    return ", ".join(values).strip().lower() if values else None
