"""Somebody has the file of keys. After the steps of docs/keys.md, nothing of theirs is accepted."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.support.client import ask, bearer, sign_in
from tests.support.environment import SECRET
from tests.support.keyfiles import key, within
from tests.support.servers import Server, Start
from tests.support.verifiers import Client, Make, outcome

STORES = ("sqlite",)  # no store has a part in this

LIFE = 6 * 3600
PATHS = ("/auth/me", "/auth/token", "/auth/verify", "/api/v1/users?limit=1")
END_OF_TIME = 253402300799
ABSENT = ...


@dataclass
class Thief:
    """Signs with a stolen key, and exchanges what it has as fast as it can."""

    server: Server
    private: Any
    kid: str
    algorithm: str
    forged: list[str] = field(default_factory=list)
    exchanged: list[str] = field(default_factory=list)

    def forge(self, **changes: Any) -> str:
        """Sign a token of a manager."""
        number, now = len(self.forged), int(time.time())
        claims = {
            "id": 1,
            "username": "admin",
            "roles": [{"id": 1, "role": "manage_users"}],
            "iss": self.server.url,
            "sub": "1",
            "iat": now,
            "exp": now + LIFE,
            "auth_time": now,
            "jti": f"forged-{number:04}",
            "sid": f"forged-{number:04}",
            "ver": 1,
            "amr": ["bypass"],
            **changes,
        }
        told = {name: value for name, value in claims.items() if value is not ABSENT}
        headers = {"kid": self.kid, "typ": "JWT"}
        self.forged.append(jwt.encode(told, self.private, self.algorithm, headers))
        return self.forged[-1]

    def forge_all(self) -> None:
        """Sign tokens with every extreme of what decides how long they are good."""
        now = int(time.time())
        auth_times = (ABSENT, 0, now, now + 5, now + 16, now + 30, END_OF_TIME)
        versions = (1, 2**62 - 1, 2**62, 2**63 - 1)
        lives = (
            *((now - LIFE + 60, now + 60), (now, now + LIFE), (now + 5, now + 5 + LIFE)),
            *((now, END_OF_TIME), (now + 30, now + LIFE), (END_OF_TIME - 1, END_OF_TIME)),
        )
        for auth_time, ver, (iat, exp) in itertools.product(auth_times, versions, lives):
            for user in (1, 2**63 - 1):
                self.forge(auth_time=auth_time, ver=ver, iat=iat, exp=exp, id=user, sub=str(user))

    def exchange(self, token: str) -> None:
        """Ask for another token of the same session."""
        answer = ask(self.server.port, "/auth/token", headers=bearer(token))
        if answer.status == 200:
            self.exchanged.append(answer.json["token"])

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Go on exchanging the newest token of each kind, until the end of the block."""
        for token in self.forged:
            self.exchange(token)
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                for token in self.exchanged[-40:]:
                    self.exchange(token)
                self.exchange(self.forge(auth_time=int(time.time()) + 16, iat=int(time.time()) + 5))

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield
        finally:
            stop.set()
            worker.join()


def accepted(server: Server, tokens: list[str]) -> set[str]:
    """Return where some of these tokens are accepted."""
    return {
        path
        for token in tokens
        for path in PATHS
        if ask(server.port, path, headers=bearer(token)).status != 401
    }


def accepted_by(client: Client, tokens: list[str]) -> int:
    return sum(outcome(client, token) == "good" for token in tokens)


def stolen(server: Server, path: Path, state: str = "signing") -> Thief:
    """Return a thief with a key of the file."""
    (found,) = (
        each for each in json.loads(path.read_text())["keys"] if each["latchkey"]["state"] == state
    )
    private = jwt.PyJWK(found).key
    return Thief(server, private, found["kid"], found["alg"])


def replace_the_keys(path: Path, algorithm: str) -> None:
    """Do the first step of docs/keys.md, "If the file leaked"."""
    key(path, "rotate", "--leaked", "--yes", JWT_ALGORITHM=algorithm)


@pytest.mark.parametrize("algorithm", ["EdDSA", "HS256"])
def test_nothing_of_a_thief_is_accepted_anywhere(
    start: Start, make: Make, path: Path, algorithm: str
) -> None:
    """With HS256 beside the file, its keys verify, and the secret signs what is exchanged."""
    is_secret = algorithm == "HS256"
    secret = SECRET if is_secret else ""
    server = start(JWT_ALGORITHM=algorithm, JWT_KEYS_FILE=str(path), JWT_SECRET_KEY=secret)
    client = make(server.url, accept_bypass=True, **({"secrets": [SECRET]} if is_secret else {}))
    thief, fresh = stolen(server, path), sign_in(server.port)
    thief.forge_all()
    assert accepted(server, [thief.forge()]) == {*PATHS}
    with thief.at_work():
        time.sleep(0.5)
        replace_the_keys(path, algorithm)
        within(3, lambda: not accepted(server, [thief.forged[-1]]))
        if is_secret:  # which nobody has stolen
            assert accepted_by(client, thief.exchanged) > 0
        else:
            within(3, lambda: accepted_by(client, thief.exchanged[-20:]) == 0)
        assert server.cli("user", "sign-out", "--all", "--yes").returncode == 0
        within(3, lambda: not accepted(server, [fresh]))
    assert len(thief.exchanged) > 100
    within(3, lambda: accepted_by(client, thief.exchanged[-20:]) == 0)
    everything = [*thief.forged, *thief.exchanged]
    assert accepted(server, everything) == set()
    assert accepted_by(client, everything) == 0
    fresh = sign_in(server.port)
    assert accepted(server, [fresh]) == {*PATHS}
    within(3, lambda: outcome(client, fresh) == "good")


def test_a_published_key_is_as_good_as_gone(start: Start, path: Path) -> None:
    key(path, "generate")
    server = start(JWT_ALGORITHM="EdDSA", JWT_KEYS_FILE=str(path), JWT_SECRET_KEY="")
    thief = stolen(server, path, "published")
    token = thief.forge()
    assert accepted(server, [token]) == {*PATHS}
    replace_the_keys(path, "EdDSA")
    within(2, lambda: not accepted(server, [token]))
    assert accepted(server, [sign_in(server.port)]) == {*PATHS}


ENDS: dict[str, tuple[str, ...]] = {
    "deleted": ("user", "delete", "user", "--yes"),
    "all signed out": ("user", "sign-out", "--all", "--yes"),
}


@pytest.mark.parametrize("end", ENDS)
def test_no_version_is_above_a_revocation(start: Start, path: Path, end: str) -> None:
    server = start(JWT_ALGORITHM="EdDSA", JWT_KEYS_FILE=str(path), JWT_SECRET_KEY="")
    thief = stolen(server, path)
    for ver in (2**62 - 1, 2**62, 2**63 - 1):
        thief.exchange(thief.forge(id=4, sub="4", ver=ver))
    assert len(thief.exchanged) == 1
    assert server.cli(*ENDS[end]).returncode == 0
    within(2, lambda: not accepted(server, [*thief.forged, *thief.exchanged]))
