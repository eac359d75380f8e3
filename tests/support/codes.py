"""People with one-time codes, and the codes that their apps show."""

import json
import time
from dataclasses import dataclass
from urllib.parse import urlencode

import jwt
import pyotp

from service import db
from tests.support.client import BROWSER, Answer, ask, bearer
from tests.support.environment import SECRET
from tests.support.passwords import by_json, session_token
from tests.support.servers import Server

API = "/auth/account/totp"
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class App:
    """An authenticator app: the secret of a user, and the recovery codes on paper."""

    secret: str
    recovery: tuple[str, ...] = ()

    def code(self, steps: int = 0) -> str:
        """Return the code of now, or of so many steps later.

        Those of other steps need some seconds until the next step begins.
        """
        if steps and (left := 30 - time.time() % 30) < 5:
            time.sleep(left)
        return pyotp.TOTP(self.secret).at(time.time(), counter_offset=steps)

    def wrong(self) -> str:
        """Return a code that is right at no step near now."""
        near = {self.code(steps) for steps in range(-3, 4)}
        return next(code for n in range(9) if (code := f"{n}{n}{n}{n}{n}{n}") not in near)


def call(port: int, path: str, method: str, token: str, body: object = None) -> Answer:
    """Send JSON, or no body, with a bearer token."""
    data = None if body is None else json.dumps(body).encode()
    headers = bearer(token) if body is None else {**_JSON, **bearer(token)}
    return ask(port, path, method, headers=headers, body=data)


def start(port: int, token: str) -> App:
    """Start a set-up."""
    answer = call(port, API, "POST", token)
    assert answer.status == 200, answer.text
    return App(answer.json["secret"])


def set_up(port: int, token: str) -> App:
    """Set one-time codes up."""
    app = start(port, token)
    answer = call(port, f"{API}/confirm", "POST", token, {"code": app.code()})
    assert answer.status == 200, answer.text
    return App(app.secret, tuple(answer.json["recovery_codes"]))


def password_token(port: int, username: str, password: str, otp: str | None = None) -> str:
    """Sign in by password, and return the JWT."""
    code = {} if otp is None else {"otp": otp}
    answer = by_json(port, {"username": username, "password": password, **code})
    assert answer.status == 200, answer.text
    return session_token(answer)


def aged(token: str) -> str:
    """Return a token of the same session, as if it had started eleven minutes ago."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, "auth_time": claims["auth_time"] - 660}, SECRET)


def forget_used(server: Server) -> None:
    """Let the codes that were used count again, without waiting for the next ones."""
    with db.writing_blocking(server.database) as connection:
        connection.execute("UPDATE totp SET last_step = 0")


def prolong_delays(server: Server) -> None:
    """Let delays last, however busy the machine is."""
    with db.writing_blocking(server.database) as connection:
        connection.execute("UPDATE attempt_limits SET blocked_until = blocked_until + 60")


def submit(port: int, path: str, cookies: str, **fields: str) -> Answer:
    """Send a form of a page, as a browser with some cookies."""
    headers = {
        **BROWSER,
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": cookies,
        "Sec-Fetch-Site": "same-origin",
    }
    return ask(port, path, "POST", headers=headers, body=urlencode(fields).encode())


def kept(answer: Answer) -> str:
    """Return the `Cookie` header of a browser after an answer."""
    pairs = [line.partition(";")[0] for line in answer.all("Set-Cookie")]
    return "; ".join(pair for pair in pairs if not pair.endswith("="))
