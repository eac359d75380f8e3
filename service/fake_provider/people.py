"""Who can sign in at the fake provider, and who has: sessions in memory."""

import secrets
import time
from dataclasses import dataclass, field

from aiohttp import web

COOKIE = "latchkey_idp"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the provider knows; `subject` is what it calls them to OpenID clients."""

    username: str
    subject: str
    name: str
    groups: tuple[str, ...] = ()


@dataclass(slots=True)
class BrowserSession:
    """A session at the provider, with what it told to whom: that is told again when it ends."""

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
        """Begin a session; return the value of its cookie. None for nobody of that name."""
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
