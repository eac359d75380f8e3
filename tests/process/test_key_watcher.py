"""Keys change under running servers: noticed at once, bad ones reported, nobody signed out."""

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Self

import jwt
import pytest

from service import config
from service.keys import KeyRing, Purpose
from service.keys.watcher import KeyWatch
from service.tokens import jws
from tests.http.test_connection import assert_safe
from tests.support.client import ask, bearer, cookie, rested, sign_in
from tests.support.commands import command
from tests.support.environment import SECRET, STRONG, Settings
from tests.support.keyfiles import key, within
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

JWKS = "/.well-known/jwks.json"
SETS = (JWKS, "/.well-known/feed-jwks.json", "/.well-known/assertion-jwks.json")


def kids(port: int, path: str = JWKS) -> set[str]:
    return {each["kid"] for each in ask(port, path).json["keys"]}


def documents(port: int) -> list[str]:
    """Return a token, the feed and an assertion, as they are signed now."""
    token = sign_in(port)
    asked = {"X-Original-Method": "GET", "X-Original-URL": "https://app.example.org/"}
    answer = ask(port, "/auth/verify?proxy=nginx", headers={**asked, **bearer(token)})
    return [token, ask(port, "/auth/revocations").text, answer["X-Latchkey-Assertion"]]


def verified(port: int, texts: list[str]) -> list[bool]:
    """Tell of each document whether a key of its set has signed it."""
    found = []
    for path, text in zip(SETS, texts, strict=False):
        header = jwt.get_unverified_header(text)
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(ask(port, path).json).keys}
        if (key := keys.get(header["kid"])) is not None:
            jwt.decode(text, key, [key.algorithm_name], options={"verify_aud": False})
        found.append(key is not None)
    return found


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_the_keys_of_all_purposes_rotate_and_retire_together(
    start: Start, tmp_path: Path, algorithm: str
) -> None:
    path = tmp_path / "keys.json"
    settings = {"JWT_ALGORITHM": algorithm, "JWT_KEYS_FILE": str(path)}
    (old,) = {json.loads(key(path, "generate", "--json", **settings))["kid"]}
    server = start(**settings, JWT_SECRET_KEY="", TRUSTED_PROXIES="127.0.0.1")
    first = documents(server.port)
    assert verified(server.port, first) == [True] * 3
    new = json.loads(key(path, "generate", "--json", **settings))["kid"]
    within(10, lambda: [len(kids(server.port, each)) for each in SETS] == [2] * 3)
    published = [kids(server.port, each) for each in SETS]
    assert signed_by(documents(server.port)) == signed_by(first)
    key(path, "rotate", "--force", **settings)
    within(2, lambda: f"signing={new}" in server.log())
    second = documents(server.port)
    assert [kids(server.port, each) for each in SETS] == published
    assert verified(server.port, first) == verified(server.port, second) == [True] * 3
    pairs = zip(signed_by(first), signed_by(second), strict=True)
    assert [{*pair} for pair in pairs] == published
    key(path, "retire", old, "--force", "--yes", **settings)
    within(10, lambda: [len(kids(server.port, each)) for each in SETS] == [1] * 3)
    assert verified(server.port, first) == [False] * 3
    assert verified(server.port, second) == [True] * 3
    assert verified(server.port, documents(server.port)) == [True] * 3


def test_after_a_theft_of_the_file_none_of_its_keys_signs(rotating: Server, path: Path) -> None:
    key(path, "generate")  # published, and known to the thief
    within(2, lambda: len(kids(rotating.port)) == 2)
    stolen = kids(rotating.port)
    copy = jwt.PyJWKSet.from_dict(json.loads(path.read_text()))
    before = sign_in(rotating.port)
    # The command as docs/keys.md has it.
    new = json.loads(key(path, "rotate", "--leaked", "--yes", "--json"))["kid"]
    within(2, lambda: kids(rotating.port) == {new})
    within(2, lambda: ask(rotating.port, "/auth/me", headers=bearer(before)).status == 401)
    fresh = sign_in(rotating.port)
    assert signed_by([fresh]) == [new]
    assert ask(rotating.port, "/auth/me", headers=bearer(fresh)).status == 200
    claims = jwt.decode(fresh, options={"verify_signature": False})
    assert {each.key_id for each in copy.keys} == stolen
    for each in copy.keys:
        forged = jwt.encode(claims, each.key, "EdDSA", headers={"kid": each.key_id})
        answer = ask(rotating.port, "/auth/me", headers=bearer(forged))
        assert (answer.status, answer.code) == (401, "token_invalid")


def test_the_feed_is_sent_again_after_a_rotation(rotating: Server, path: Path) -> None:
    rested(10)
    document = ask(rotating.port, "/auth/revocations").text
    place = jwt.decode(document, options={"verify_signature": False})["next"]
    asked = f"/auth/revocations?since={place}"
    first = ask(rotating.port, asked)
    known = {"If-None-Match": first["ETag"]}
    assert ask(rotating.port, asked, headers=known).status == 304
    new = json.loads(key(path, "generate", "--json"))["kid"]
    within(2, lambda: new in kids(rotating.port))
    assert ask(rotating.port, asked, headers=known).status == 304
    key(path, "rotate", "--force")
    within(2, lambda: f"signing={new}" in rotating.log())
    again = ask(rotating.port, asked, headers=known)
    assert again.status == 200
    assert verified(rotating.port, [sign_in(rotating.port), again.text])[1]


def signed_by(texts: list[str]) -> list[str]:
    """Return the name of the key of each document."""
    return [jwt.get_unverified_header(text)["kid"] for text in texts]


def figure(port: int) -> str:
    (line,) = (
        line
        for line in ask(port, "/metrics").text.splitlines()
        if line.startswith("latchkey_keys_file_bad ")
    )
    return line.split()[1]


def test_a_new_file_is_noticed_within_a_second(rotating: Server, path: Path) -> None:
    before = kids(rotating.port)
    old = sign_in(rotating.port)
    new = json.loads(key(path, "generate", "--json"))["kid"]
    within(1, lambda: kids(rotating.port) == {*before, new})
    key(path, "rotate", "--force")
    within(1, lambda: f"signing={new}" in rotating.log())
    fresh = sign_in(rotating.port)
    for token in (old, fresh):
        assert ask(rotating.port, "/auth/me", headers=cookie(token)).status == 200
    key(path, "retire", *before, "--force", "--yes")
    within(1, lambda: kids(rotating.port) == {new})
    assert ask(rotating.port, "/auth/me", headers=cookie(old)).code == "token_invalid"
    assert ask(rotating.port, "/auth/me", headers=cookie(fresh)).status == 200


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "the file is not JSON (RFC 8259)"),
        ('{"keys": [{"kty": "oct", "k": "AAAA"}]}', "key 1 is a shared secret (kty: oct)"),
        ('{"keys": []}', "no EdDSA key signs; generate one with"),
        (None, "the file is missing; generate one with"),
    ],
    ids=["half written", "a secret", "empty", "gone"],
)
def test_a_bad_new_file_leaves_the_old_keys_at_work(
    rotating: Server, path: Path, content: str | None, fault: str
) -> None:
    good, before = path.read_bytes(), kids(rotating.port)
    old = sign_in(rotating.port)
    ready = ask(rotating.port, "/readyz").json
    assert (ready["status"], ready["database"], ready["keys"]) == ("ok", "ok", "ok")
    assert figure(rotating.port) == "0.0"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    within(1, lambda: bool(ask(rotating.port, "/readyz").json["status"] == "degraded"))
    answer = ask(rotating.port, "/readyz")
    assert answer.status == 200
    assert answer.json["keys"].startswith(fault)
    assert str(path.parent) not in answer.text
    assert_safe(answer)
    assert figure(rotating.port) == "1.0"
    assert kids(rotating.port) == before
    for token in (old, sign_in(rotating.port)):
        assert ask(rotating.port, "/auth/me", headers=cookie(token)).status == 200
    if content is not None:
        path.write_text(content + " ")
    for _ in range(3):
        rotating.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
    assert rotating.log().count("keys_file_bad") == 1
    path.write_bytes(good)
    within(1, lambda: bool(ask(rotating.port, "/readyz").json["keys"] == "ok"))
    assert figure(rotating.port) == "0.0"


def test_in_production_the_reason_is_only_in_the_log(start: Start, path: Path) -> None:
    server = start(
        ENVIRONMENT="production",
        BYPASS_AUTH="false",
        PUBLIC_URL="https://auth.example.org",
        JWT_SECRET_KEY=STRONG,
        JWT_ALGORITHM="EdDSA",
        JWT_KEYS_FILE=str(path),
    )
    good = path.read_bytes()
    path.write_text("{")
    within(2, lambda: bool(ask(server.port, "/readyz").json["status"] == "degraded"))
    assert ask(server.port, "/readyz").json["keys"] == "invalid"
    assert "the file is not JSON" in server.log(until="keys_file_bad")
    path.write_bytes(good)


def test_at_start_a_bad_file_is_one_message_and_no_open_port(path: Path, server: Server) -> None:
    environ = {"ENVIRONMENT": "test", "JWT_ALGORITHM": "EdDSA", "PORT": str(server.port)}
    for content, message in (
        ("{}", "the file is not a JWK Set"),
        (None, "the file is missing; generate one with: python -m service key generate"),
    ):
        path.write_text(content) if content else path.unlink()
        done = command(path.parent, "serve", **environ, JWT_KEYS_FILE="keys.json")
        assert done.returncode == 1
        assert done.stderr.startswith("Invalid key file keys.json (JWT_KEYS_FILE):\n  ")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    done = command(path.parent, "serve", **environ)
    assert "JWT_KEYS_FILE is missing" in done.stderr


def test_sighup_reads_again_at_once_and_ends_nothing(rotating: Server, server: Server) -> None:
    before = rotating.log().count("keys_read")
    rotating.process.send_signal(signal.SIGHUP)
    within(1, lambda: rotating.log().count("keys_read") == before + 1)
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert ask(server.port, "/healthz").status == 200


def test_a_file_with_the_same_size_and_date_is_noticed(rotating: Server, path: Path) -> None:
    facts, before = path.stat(), rotating.log().count("keys_read")
    shutil.copy(path, path.with_suffix(".new"))
    os.utime(path.with_suffix(".new"), ns=(facts.st_atime_ns, facts.st_mtime_ns))
    path.with_suffix(".new").replace(path)
    within(1, lambda: rotating.log().count("keys_read") == before + 1)


async def test_the_watch_survives_what_nobody_expected(
    settings: Settings, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = KeyWatch(settings(JWT_ALGORITHM="EdDSA", JWT_KEYS_FILE=str(path)))

    def fail(_config: config.Config) -> KeyRing:
        raise MemoryError

    monkeypatch.setattr("service.keys.load", fail)
    await watch._read(lambda _ring: None)
    assert watch.fault == "the file cannot be used (MemoryError)"
    monkeypatch.undo()
    taken: list[KeyRing] = []
    await watch._read(taken.append)
    assert [ring.keys(Purpose.SESSION).signing.algorithm for ring in taken] == ["EdDSA"]
    assert vars(watch)["fault"] is None


class Visitors:
    """People who sign in and come back, all the time; what they are refused is kept."""

    def __init__(self, ports: list[int], count: int = 4) -> None:
        self.refusals: list[str] = []
        self.visits = 0
        self.tokens: list[str] = []
        self._ports = ports
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(n,)) for n in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, number: int) -> None:
        while not self._stop.is_set():
            token = sign_in(self._ports[number % len(self._ports)])
            self.tokens.append(token)
            kept = [*self.tokens[-3:], self.tokens[0]]
            for port in self._ports:
                for each in kept:
                    answer = ask(port, "/auth/me", headers=bearer(each))
                    self.visits += 1
                    if answer.status != 200:
                        self.refusals.append(answer.text)


def test_under_load_a_rotation_signs_nobody_out(start: Start, path: Path) -> None:
    environ = {"JWT_ALGORITHM": "EdDSA", "JWT_KEYS_FILE": str(path), "JWT_SECRET_KEY": ""}
    environ["PUBLIC_URL"] = "http://localhost:8080"
    replicas = [start(**environ).port for _ in range(2)]
    with Visitors(replicas) as visitors:
        for _ in range(2):
            new = json.loads(key(path, "generate", "--json"))["kid"]
            for port in replicas:
                within(5, lambda port=port, new=new: new in kids(port))  # type: ignore[misc]
            key(path, "rotate", "--force")
            time.sleep(0.7)
        spare = json.loads(key(path, "generate", "--json"))["kid"]
        time.sleep(0.7)
        key(path, "retire", spare, "--yes")
        time.sleep(0.7)
    assert visitors.refusals == []
    assert visitors.visits > 100
    used = {jws.peek(token)[0]["kid"] for token in visitors.tokens}
    assert len(used) == 3


def test_from_hs256_to_eddsa_and_back_nobody_is_signed_out(start: Start, path: Path) -> None:
    shared = {
        "JWT_KEYS_FILE": str(path),
        "JWT_SECRET_KEY": SECRET,
        "PUBLIC_URL": "http://localhost:8080",
    }
    stages = ["HS256", "EdDSA", "HS256"]
    servers = [start(JWT_ALGORITHM="HS256", **shared)]
    kept = [sign_in(servers[0].port)]
    for algorithm in stages[1:]:
        # The next one starts while the one before still serves: their tokens are good at both.
        servers.append(start(JWT_ALGORITHM=algorithm, **shared))
        ports = [each.port for each in servers[-2:]]
        with Visitors(ports) as visitors:
            time.sleep(0.7)
        assert visitors.refusals == []
        assert {jws.peek(token)[0]["alg"] for token in visitors.tokens} == {"HS256", "EdDSA"}
        kept.append(sign_in(ports[1]))
        for token in (*kept, visitors.tokens[0], visitors.tokens[-1]):
            assert ask(ports[1], "/auth/me", headers=bearer(token)).status == 200
