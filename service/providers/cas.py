"""The CAS protocol (2.0 and 3.0): URLs, and a strict parser of responses.

https://apereo.github.io/cas/development/protocol/CAS-Protocol-Specification.html
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from service import errors, users
from service.parsing import strict_xml
from service.parsing.over_limit import OverLimit

TICKET = re.compile(r"ST-[A-Za-z0-9._-]{1,253}", re.ASCII)
"""A service ticket (section 3.1). Servers append their host name, so dots are allowed."""

MOST_LOGOUT_BYTES = 4096
"""The maximum size of a logout request. Usual ones have about 600 bytes."""

_CAS = "{http://www.yale.edu/tp/cas}"
_SAML = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_VALIDATE = {"2.0": "/serviceValidate", "3.0": "/p3/serviceValidate"}
_INTERNAL = "INTERNAL_ERROR"
"""The code by which a server says that it could not check a ticket (section 2.5.3)."""
_SERVICE_REJECTED = frozenset(
    {"INVALID_REQUEST", "INVALID_SERVICE", "UNAUTHORIZED_SERVICE", "UNAUTHORIZED_SERVICE_PROXY"}
)
"""The codes by which a server rejects the service or its request, not the ticket."""
_CODE = re.compile(r"[A-Z_]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Known:
    """The account in a CAS response: the name, and the values of each attribute.

    `unreadable` are the attributes with a value that is not plain text.
    """

    user: str
    attributes: Mapping[str, Sequence[str]]
    unreadable: frozenset[str] = frozenset()

    def one(self, attribute: str) -> str | None:
        """Return the value of an attribute that has exactly one, as plain text; else None."""
        values = self.attributes.get(attribute, ())
        return values[0] if len(values) == 1 and attribute not in self.unreadable else None

    def values(self, attribute: str) -> list[str | Element]:
        """Return the values of an attribute as plain text, then an element if one is not that."""
        values: list[str | Element] = list(self.attributes.get(attribute, ()))
        return [*values, Element(attribute)] if attribute in self.unreadable else values


def login_address(server: str, service: str, *, renew: bool, gateway: bool) -> str:
    """Return the login URL (section 2.1). `gateway`: only if no interaction is needed."""
    # The combination is undefined, so `renew` has priority.
    flag = {"renew": "true"} if renew else {"gateway": "true"} if gateway else {}
    return f"{server}/login?{urlencode({'service': service, **flag})}"


def validate_address(server: str, version: str, service: str, ticket: str, *, renew: bool) -> str:
    """Return the URL that validates a ticket (sections 2.5 and 2.8)."""
    query = {"service": service, "ticket": ticket, **({"renew": "true"} if renew else {})}
    return f"{server}{_VALIDATE[version]}?{urlencode(query)}"


def logout_address(server: str, back: str) -> str:
    """Return the logout URL (section 2.3)."""
    return f"{server}/logout?{urlencode({'service': back})}"


def handle(ticket: str) -> str:
    """Return the hash that identifies a session. The ticket is a secret until it is used."""
    return hashlib.sha256(ticket.encode()).hexdigest()


def as_username(user: str) -> str:
    """Return the CAS name as a normalized user name, unchanged if it is not a valid one.

    Servers return a name as it was typed, so names that differ only in case are one account.
    """
    try:
        return users.normalize_username(user)
    except errors.InvalidName:
        return user


def read_answer(data: bytes) -> Known:
    """Return the account in a validation response (sections 2.5.2 and 2.5.3).

    Raises AnswerRefused for a failure, ServiceRejected if it is not about the ticket, ProviderBusy
    for an error of the server, ProviderAnswerInvalid for an unreadable response,
    ProviderAnswerTooLarge.
    """
    try:
        return _known(strict_xml.loads(data))
    except OverLimit as error:
        raise errors.ProviderAnswerTooLarge(error.limit) from OverLimit(error.limit)
    except ValueError as error:
        raise errors.ProviderAnswerInvalid from error


def read_logout_request(text: str) -> str:
    """Return the ticket of a logout request (section 3.7). Raises LogoutRequestInvalid."""
    try:
        return _ended_ticket(strict_xml.loads(_short(text.encode())))
    except OverLimit as error:
        detail = f"The logout request is too large: the limit is {error.limit}."
        raise errors.LogoutRequestInvalid(detail) from OverLimit(error.limit)
    except ValueError as error:
        raise errors.LogoutRequestInvalid from error


def _short(data: bytes) -> bytes:
    if len(data) > MOST_LOGOUT_BYTES:
        raise OverLimit(f"{MOST_LOGOUT_BYTES:,} bytes")
    return data


def _ended_ticket(root: Element) -> str:
    if root.tag != f"{_SAML}LogoutRequest":
        raise ValueError("not a logout request")
    ticket = strict_xml.text_of(strict_xml.only(root, f"{_SAML}SessionIndex"))
    if not TICKET.fullmatch(ticket):
        raise ValueError("not a ticket")
    return ticket


def _known(root: Element) -> Known:
    if root.tag != f"{_CAS}serviceResponse":
        raise ValueError("not a service response")
    answers = strict_xml.children(root)
    if len(answers) != 1:
        raise ValueError(f"{len(answers)} answers")
    (answer,) = answers
    if answer.tag == f"{_CAS}authenticationFailure":
        code = _code(answer)
        if code == _INTERNAL:
            raise errors.ProviderBusy from ValueError(code)
        rejected = errors.ServiceRejected if code in _SERVICE_REJECTED else errors.AnswerRefused
        raise rejected from ValueError(code)
    if answer.tag != f"{_CAS}authenticationSuccess":
        raise ValueError("neither success nor failure")
    parts = [child.tag for child in strict_xml.children(answer)]
    if f"{_CAS}proxies" in parts:
        raise ValueError("a proxy ticket")
    user = strict_xml.text_of(strict_xml.only(answer, f"{_CAS}user"))
    if len(user) > users.MAX_SUBJECT:
        raise OverLimit(f"{users.MAX_SUBJECT} characters in the name of an account")
    users.normalize_subject(user)
    if f"{_CAS}attributes" not in parts:
        return Known(user, {})
    return Known(user, *_attributes(strict_xml.only(answer, f"{_CAS}attributes")))


def _attributes(element: Element) -> tuple[Mapping[str, Sequence[str]], frozenset[str]]:
    """Return the plain-text values of attributes, and the names of other attributes."""
    found: dict[str, list[str]] = defaultdict(list)
    unreadable = set()
    for child in strict_xml.children(element):
        name = child.tag.removeprefix(_CAS)
        if len(child):
            unreadable.add(name)
        else:
            found[name].append(strict_xml.text_of(child))
    return found, frozenset(unreadable)


def _code(failure: Element) -> str:
    """Return the code of a failure (section 2.5.3), if it is a valid word."""
    code = failure.get("code", "")
    return code if _CODE.fullmatch(code) else "no code"
