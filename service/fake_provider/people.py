"""The persons of the fake provider, and their sessions in memory."""

import secrets
import time
from dataclasses import dataclass, field

from aiohttp import web

COOKIE = "latchkey_idp"


@dataclass(frozen=True, slots=True)
class Person:
    """A person with an account. `subject` is the `sub` for OpenID clients."""

    username: str
    subject: str
    name: str
    groups: tuple[str, ...] = ()


@dataclass(slots=True)
class BrowserSession:
    """A session at the provider, with its clients and tickets, which are notified at its end."""

    person: Person
    sid: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    began_at: int = field(default_factory=lambda: int(time.time()))
    told_openid: bool = False
    tickets: dict[str, str] = field(default_factory=dict)


class Sessions:
    """The sessions, by the value of the cookie."""

    def __init__(self, people: tuple[Person, ...]) -> None:
        self.people = {person.username: person for person in people}
        self._open: dict[str, BrowserSession] = {}

    def begin(self, username: str) -> str | None:
        """Start a session and return the value of its cookie, None for an unknown name."""
        person = self.people.get(username)
        if person is None:
            return None
        cookie = secrets.token_urlsafe(32)
        self._open[cookie] = BrowserSession(person)
        return cookie

    def of(self, request: web.Request) -> BrowserSession | None:
        """Return the session of a browser."""
        return self._open.get(request.cookies.get(COOKIE, ""))

    def end(self, session: BrowserSession) -> None:
        """End a session."""
        self._open = {key: open_ for key, open_ in self._open.items() if open_ is not session}


SESSIONS = web.AppKey("sessions", Sessions)
