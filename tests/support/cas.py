"""A browser's part in a sign-in by CAS, without a browser, and the answers of a CAS server."""

import itertools
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.client import BROWSER, Answer, ask
from tests.support.servers import Server

TICKET = "ST-1-a-secret-until-it-is-used-cas01.example.org"

FRESH = "a fresh one"
_numbers = itertools.count(1)


def fresh(ticket: str = TICKET) -> str:
    """Return a ticket that nobody has used, which begins like another: each counts once."""
    return f"{ticket}.{next(_numbers)}"


def stem(ticket: str) -> str:
    """Return what a fresh ticket was made of."""
    return re.sub(r"\.\d+$", "", ticket)


@dataclass(frozen=True)
class Attempt:
    """An attempt that was begun: where it leads to, and what the browser has to bring back."""

    id: str
    service: str
    to: str
    cookie: str

    @property
    def name(self) -> str:
        """The name of its cookie."""
        return self.cookie.partition("=")[0]


def begin(server: Server, query: str = "", **headers: str) -> Attempt:
    """Begin an attempt."""
    answer = ask(server.port, f"/auth/cas{query}", headers=headers)
    assert answer.status == 302, answer.text
    to = answer["Location"]
    (service,) = parse_qs(urlsplit(to).query)["service"]
    (attempt,) = parse_qs(urlsplit(service).query)["attempt"]
    fresh = [line for line in answer.all("Set-Cookie") if "Max-Age=0" not in line]
    return Attempt(attempt, service, to, "; ".join(line.partition(";")[0] for line in fresh))


def back(
    server: Server,
    attempt: Attempt,
    ticket: str | None = FRESH,
    *,
    cookie: str | None = None,
    query: str = "",
    **headers: str,
) -> Answer:
    """Come back from the CAS server, as programs do, or with `Accept` as browsers do.

    The ticket is a fresh one, unless another is given, or None.
    """
    ticket = fresh() if ticket == FRESH else ticket
    given = {"attempt": attempt.id} | ({} if ticket is None else {"ticket": ticket})
    sent = {"Cookie": attempt.cookie if cookie is None else cookie}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(server.port, f"/auth/cas?{query or urlencode(given)}", headers={**sent, **named})


def sign_in(server: Server, ticket: str = FRESH, query: str = "") -> Answer:
    """Begin, come back, and be signed in."""
    answer = back(server, begin(server, query), ticket)
    assert answer.status == 302, answer.text
    return answer


def jwt(answer: Answer) -> str | None:
    """Return the session's cookie, if an answer sets one."""
    values = [line for line in answer.all("Set-Cookie") if line.startswith("jwt=")]
    return values[0].partition("=")[2].partition(";")[0] if values else None


def success(user: str, inside: str = "", after: str = "") -> bytes:
    """Write the answer that names a user; `user` is XML."""
    return response(
        f"<cas:authenticationSuccess><cas:user>{user}</cas:user>{inside}"
        f"</cas:authenticationSuccess>{after}"
    )


def response(inside: str, before: str = "") -> bytes:
    """Write an answer."""
    return (
        f'{before}<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">{inside}'
        "</cas:serviceResponse>"
    ).encode()


def failure(code: str, inside: str = "") -> bytes:
    """Write the answer that says no."""
    told = f'<cas:authenticationFailure code="{code}">{inside}</cas:authenticationFailure>'
    return response(told)


def logout_request(ticket: str, inside: str = "", before: str = "") -> str:
    """Write what a CAS server posts when a session has ended there."""
    return (
        f'{before}<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
        ' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="LR-1" Version="2.0"'
        ' IssueInstant="2026-11-24T05:00:00Z"><saml:NameID>@NOT_USED@</saml:NameID>'
        f"<samlp:SessionIndex>{ticket}</samlp:SessionIndex>{inside}</samlp:LogoutRequest>"
    )


def log_out(server: Server, request: str, **headers: str) -> Answer:
    """Post a logout request, as a CAS server does."""
    return post(server, urlencode({"logoutRequest": request}).encode(), **headers)


def post(server: Server, body: bytes, **headers: str) -> Answer:
    """Post a form."""
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(server.port, "/auth/cas", "POST", headers={**sent, **named}, body=body)


PAGE = {"Accept": BROWSER["Accept"]}
