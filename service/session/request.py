"""What a request says of itself: where it leads to, where it came from, and how."""

from collections.abc import Sequence

from aiohttp import web

from service import context, urls

_NEXT = ("next", "rd")


def next_address(request: web.Request) -> str:
    """Return where to go after this, from `next` or `rd`: an allowed address, or `/`."""
    return safe_next(request, [v for name in _NEXT for v in request.query.getall(name, ())])


def safe_next(request: web.Request, values: Sequence[str]) -> str:
    """Return the one address in `values` if a sign-in may lead there, else `/`."""
    config = request.app[context.CONFIG]
    return urls.safe_next(values, {config.public_url, *config.allowed_redirects})


def came_from_another_site(request: web.Request) -> bool:
    """Tell whether a browser says that a page of another site led here (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site"


def withholds_cookie(request: web.Request) -> bool:
    """Tell whether a browser may keep our cookie back, since a page of another site led here."""
    return (
        came_from_another_site(request)
        and request.app[context.CONFIG].cookie_samesite == "Strict"
        and not sends_cookie(request)
    )


def has_foreign_origin(request: web.Request) -> bool:
    """Tell whether an `Origin` is named, and is not ours (RFC 6454 section 7)."""
    origin = request.headers.get("Origin")
    own = (
        request.app[context.CONFIG].public_url,
        urls.origin(f"http://{request.host}"),
        urls.origin(f"https://{request.host}"),
    )
    return origin is not None and origin not in own


def is_prefetch(request: web.Request) -> bool:
    """Tell whether a browser only guesses that a person will come."""
    purposes = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    return any("prefetch" in purpose.lower() for purpose in purposes)


def sends_cookie(request: web.Request) -> bool:
    """Tell whether there may be a session cookie, good or bad, in a request."""
    prefix = request.app[context.CONFIG].cookie_name + "="
    return any(prefix in line for line in request.headers.getall("Cookie", ()))
