"""The pages of one-time codes: enter a code, set codes up, show recovery codes."""

import importlib

from aiohttp import web

from service.credentials.totp import Setup
from service.parsing import urls
from service.web import responses

_GROUP = 4


def ask(
    request: web.Request, *, location: str, fault: str = "", recovery: bool = False
) -> web.Response:
    """Return the page that asks for a code after the password. It leads to `location`.

    With `recovery`, it asks for a recovery code. `fault` is the message after a failed attempt.
    """
    return responses.page(
        request,
        "second_factor.html",
        location="" if location == urls.HOME else location,
        fault=fault,
        recovery=recovery,
    )


def setup(
    request: web.Request,
    started: Setup,
    *,
    action: str,
    location: str | None = None,
    fault: str = "",
) -> web.Response:
    """Return the page of a set-up: the QR code, the secret and a form that sends a code.

    `action` is where the form goes. During a sign-in, which leads to `location`, it sends the code
    as `otp`, otherwise as `code`.
    """
    secret = started.secret
    return responses.page(
        request,
        "codes_setup.html",
        qr=qr_code(started.uri),
        uri=started.uri,
        secret=" ".join(secret[i : i + _GROUP] for i in range(0, len(secret), _GROUP)),
        action=action,
        field="code" if location is None else "otp",
        location="" if location == urls.HOME else location,
        fault=fault,
        signing_in=location is not None,
    )


def recovery_codes(request: web.Request, codes: list[str], *, location: str) -> web.Response:
    """Return the page that shows new recovery codes once, and a link to `location`."""
    return responses.page(request, "recovery_codes.html", codes=codes, location=location)


def qr_code(text: str) -> str:
    """Return a QR code as inline SVG. It has no style, which our policy would refuse."""
    library = importlib.import_module("segno")  # an eighth of a second, so at the first use
    code = library.make_qr(text, error="m")
    svg: str = code.svg_inline(
        dark="#000", light="#fff", svgclass="qr", lineclass=None, omitsize=True
    )
    return svg
