"""The CAS server: tickets in memory, validated once (CAS protocol 3.0)."""

import secrets
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from service.fake_provider.people import BrowserSession

_SUCCESS = """<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">
<cas:authenticationSuccess><cas:user>{user}</cas:user>{attributes}</cas:authenticationSuccess>
</cas:serviceResponse>
"""
_FAILURE = """<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">
<cas:authenticationFailure code="INVALID_TICKET">The ticket is invalid.</cas:authenticationFailure>
</cas:serviceResponse>
"""
_LOGOUT = """<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="{id}" \
Version="2.0" IssueInstant="{at}"><saml:NameID \
xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">@NOT_USED@</saml:NameID>\
<samlp:SessionIndex>{ticket}</samlp:SessionIndex></samlp:LogoutRequest>"""


class Tickets:
    """Service tickets. Each is valid once and for its service."""

    def __init__(self) -> None:
        self._good: dict[str, tuple[str, BrowserSession]] = {}

    def issue(self, service: str, session: BrowserSession) -> str:
        """Return the URL of a service with a new ticket."""
        ticket = f"ST-{secrets.token_urlsafe(24)}"
        self._good[ticket] = service, session
        session.tickets[ticket] = service
        separator = "&" if "?" in service else "?"
        return f"{service}{separator}{urlencode({'ticket': ticket})}"

    def validate(self, service: str, ticket: str, *, with_attributes: bool) -> str:
        """Return the XML response for a ticket of a service."""
        issued_for, session = self._good.pop(ticket, (None, None))
        if session is None or issued_for != service:
            return _FAILURE
        attributes = [("groups", group) for group in session.person.groups]
        attributes.append(("displayName", session.person.name))
        inner = "".join(f"<cas:{name}>{escape(value)}</cas:{name}>" for name, value in attributes)
        return _SUCCESS.format(
            user=escape(session.person.username),
            attributes=f"<cas:attributes>{inner}</cas:attributes>" if with_attributes else "",
        )


def logout_request(ticket: str, at: str) -> str:
    """Return the logout request for the session of a ticket."""
    return _LOGOUT.format(id=f"LR-{secrets.token_hex(16)}", at=at, ticket=ticket)
