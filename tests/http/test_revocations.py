"""The published feed: signed, by place, by pages, and not sent twice."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import jwt
import pytest

from service import db
from service.endpoints import revocations
from service.server.run import listening
from service.tokens import lifetimes
from service.web import context
from tests.support.client import Answer, ask, bearer, cookie, rested, sign_in
from tests.support.derived import feed_key
from tests.support.environment import SECRET, STRONG, Settings, free_port
from tests.support.servers import Server, Start


@pytest.fixture(scope="module")
def issuer(start: Start) -> Server:
    """Return a server whose feed nobody else writes to."""
    return start()


def read(answer: Answer, server: Server) -> dict[str, Any]:
    """Return the claims of a document, its signature and its kind checked."""
    assert answer.status == 200
    assert answer["Content-Type"] == f"application/{revocations.TYPE}"
    assert jwt.get_unverified_header(answer.text) == {"alg": "HS256", "typ": revocations.TYPE}
    claims: dict[str, Any] = jwt.decode(
        answer.text,
        feed_key(SECRET),
        algorithms=["HS256"],
        audience="latchkey-revocations",
        issuer=server.url,
        leeway=1,
    )
    assert claims["exp"] == claims["iat"] + 120
    return claims


def test_what_was_taken_back_is_published_by_place(issuer: Server) -> None:
    before = read(ask(issuer.port, "/auth/revocations"), issuer)
    token = sign_in(issuer.port)
    claims = jwt.decode(token, options={"verify_signature": False})
    ask(issuer.port, "/auth/logout", headers=cookie(token))
    user = sign_in(issuer.port, "user")
    ask(issuer.port, "/auth/logout?everywhere=true", "POST", headers=cookie(user))
    path = f"/auth/revocations?since={before['next']}"
    time.sleep(0.3)
    after = read(ask(issuer.port, path), issuer)
    assert after["since"] == before["next"]
    assert (after["more"], after["age"] < 2) == (False, True)
    (_, kind, sid, until), (seq, other_kind, user_id, version, _) = after["changes"]
    assert (kind, sid) == ("session", claims["sid"])
    assert until >= claims["exp"]
    assert (other_kind, user_id, version, seq) == ("revoked", 4, 2, after["next"])


def test_what_is_known_is_not_sent_again(issuer: Server) -> None:
    ask(issuer.port, "/auth/logout", "POST", headers=cookie(sign_in(issuer.port)))
    rested(3)
    place = read(ask(issuer.port, "/auth/revocations"), issuer)["next"]
    assert place > 0
    for path in ("/auth/revocations", f"/auth/revocations?since={place}"):
        first = ask(issuer.port, path)
        assert first["Cache-Control"] == "no-cache"
        for spelling in (first["ETag"], f"W/{first['ETag']}", f'"9999", {first["ETag"]}'):
            again = ask(issuer.port, path, headers={"If-None-Match": spelling})
            assert (again.status, again.body, again["ETag"]) == (304, b"", first["ETag"])
            assert again["Cache-Control"] == "no-cache"


def test_an_entity_tag_is_of_one_document(issuer: Server) -> None:
    """Of one place: what is known of another one is another document."""
    rested(3)
    ask(issuer.port, "/auth/logout", "POST", headers=cookie(sign_in(issuer.port)))
    place = read(ask(issuer.port, "/auth/revocations"), issuer)["next"]
    tags = [ask(issuer.port, f"/auth/revocations?since={since}")["ETag"] for since in (0, place)]
    assert len(set(tags)) == 2
    for since, known in ((0, tags[1]), (place, tags[0]), (place - 1, tags[1])):
        path = f"/auth/revocations?since={since}"
        assert ask(issuer.port, path, headers={"If-None-Match": known}).status == 200


@pytest.mark.parametrize("since", ["", "?since=0", "?since={place}"])
@pytest.mark.parametrize("change", ["sign-out", "everywhere", "disable", "roles", "delete"])
def test_a_change_at_this_process_is_in_the_next_document(
    issuer: Server, since: str, change: str
) -> None:
    """Without a wait: a 304, and a document with an old tag, would say that nothing has changed."""
    admin = bearer(sign_in(issuer.port))
    name = f"changed-{time.monotonic_ns()}"
    body = json.dumps({"username": name}).encode()
    sent = {**admin, "Content-Type": "application/json"}
    users = "/api/v1/users"
    user_id = ask(issuer.port, users, "POST", headers=sent, body=body).json["id"]
    token = sign_in(issuer.port, name)
    place = read(ask(issuer.port, "/auth/revocations"), issuer)["next"]
    path = f"/auth/revocations{since.format(place=place)}"
    first = ask(issuer.port, path)
    one = f"{users}/{user_id}"
    answer = {
        "sign-out": lambda: ask(issuer.port, "/auth/logout", "POST", headers=bearer(token)),
        "everywhere": lambda: ask(issuer.port, f"{one}/sign-out", "POST", headers=admin),
        "disable": lambda: ask(issuer.port, one, "PATCH", headers=sent, body=b'{"disabled": true}'),
        "roles": lambda: ask(
            issuer.port, one, "PATCH", headers=sent, body=b'{"roles": ["view_documents"]}'
        ),
        "delete": lambda: ask(issuer.port, one, "DELETE", headers=admin),
    }[change]()
    assert answer.status in {200, 204, 302}
    second = ask(issuer.port, path, headers={"If-None-Match": first["ETag"]})
    before, after = read(first, issuer), read(second, issuer)
    assert after["next"] > before["next"]
    assert len(after["changes"]) == len(before["changes"]) + 1
    assert second["ETag"] != first["ETag"]
    known = {"If-None-Match": second["ETag"]}
    assert read(ask(issuer.port, path), issuer)["changes"] == after["changes"]
    assert ask(issuer.port, path, headers=known).status in {200, 304}


@pytest.mark.usefixtures("database")
async def test_an_entity_tag_is_of_its_bytes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strong validator (RFC 9110 section 8.8.1): other bytes have another tag."""
    now = [1_800_000_000.0]
    config = settings(PORT=str(free_port()))
    seen: dict[str, set[str]] = {}
    async with listening(config) as app, aiohttp.ClientSession() as client:
        monkeypatch.setattr(app[context.TOKENS], "_clock", lambda: now[0])
        monkeypatch.setattr(app[context.DOCUMENTS]._documents, "_seconds", 0)
        for _ in range(70):
            async with client.get(f"http://127.0.0.1:{config.port}/auth/revocations") as answer:
                seen.setdefault(answer.headers["ETag"], set()).add(await answer.text())
            now[0] += 1
    assert len(seen) > 30
    assert {len(bodies) for bodies in seen.values()} == {1}


def test_processes_agree_on_what_is_known(start: Start) -> None:
    """A follower that is led to another process gets no document that it has."""
    one = start()
    two = start(beside=one)
    rested(5)
    time.sleep(1.1)
    for path in ("/auth/revocations", "/auth/revocations?since=1"):
        known = {"If-None-Match": ask(one.port, path)["ETag"]}
        assert ask(two.port, path, headers=known).status == 304


@pytest.mark.parametrize("end", ["", "x", "x" * 15, "x" * 17, "x" * 15 + "\xe9", "x" * 15 + "!"])
def test_an_entity_tag_that_was_never_sent_is_not_repeated(issuer: Server, end: str) -> None:
    rested(3)
    start = ask(issuer.port, "/auth/revocations")["ETag"].rpartition(".")[0]
    answer = ask(issuer.port, "/auth/revocations", headers={"If-None-Match": f'{start}.{end}"'})
    assert answer.status == 200


@pytest.mark.usefixtures("database")
async def test_a_304_keeps_no_document_that_is_over(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was ever taken back, and a cache revalidates: a verifier that starts gets a 304."""
    now = [1_800_000_000.0]
    config = settings(PORT=str(free_port()))
    async with listening(config) as app, aiohttp.ClientSession() as client:
        monkeypatch.setattr(app[context.TOKENS], "_clock", lambda: now[0])
        monkeypatch.setattr(app[context.DOCUMENTS]._documents, "_seconds", 0)
        url, kept, etag = f"http://127.0.0.1:{config.port}/auth/revocations", "", ""
        ages = []
        for _ in range(130):
            async with client.get(url, headers={"If-None-Match": etag} if etag else {}) as answer:
                assert answer.headers["Cache-Control"] == "no-cache"
                etag = answer.headers["ETag"]
                kept = kept if answer.status == 304 else await answer.text()
            ages.append(now[0] - jwt.decode(kept, options={"verify_signature": False})["iat"])
            now[0] += 1
    assert max(ages) == revocations.RENEWED_SECONDS - 1
    assert ages.count(0) == 5


def test_how_far_the_feed_was_pruned_is_sent_anew(issuer: Server) -> None:
    rested(8)
    place = read(ask(issuer.port, "/auth/revocations"), issuer)["next"]
    path = f"/auth/revocations?since={place}"
    first = ask(issuer.port, path)
    now = int(time.time())

    async def prune() -> int:
        async with db.connect(issuer.database) as database:
            async with database.transaction() as tx:
                await lifetimes.pruned(tx, now)
            return (await lifetimes.state(database)).pruned_until

    pruned_until = asyncio.run(prune())
    assert pruned_until > read(first, issuer)["pruned_until"]
    known = {"If-None-Match": first["ETag"]}
    began = time.monotonic()
    while (answer := ask(issuer.port, path, headers=known)).status == 304:
        assert time.monotonic() - began < 5
    assert read(answer, issuer)["pruned_until"] == pruned_until


def test_a_place_that_does_not_exist_begins_from_the_start(issuer: Server) -> None:
    assert read(ask(issuer.port, "/auth/revocations?since=999999"), issuer)["since"] == 0


@pytest.mark.parametrize("since", ["", "-1", "x", "1.5", "%D9%A1", "9" * 19, "1&since=1"])
def test_a_since_that_is_no_number_is_refused(issuer: Server, since: str) -> None:
    answer = ask(issuer.port, f"/auth/revocations?since={since}")
    assert (answer.status, answer.code) == (400, "since_invalid")


def test_the_document_is_no_token(issuer: Server) -> None:
    document = ask(issuer.port, "/auth/revocations").text
    answer = ask(issuer.port, "/auth/me", headers={"Authorization": f"Bearer {document}"})
    assert answer.code == "token_invalid"


def test_a_long_feed_comes_in_pages(start: Start) -> None:
    server = start()
    rows = 12_345

    async def fill() -> None:
        async with (
            db.connect(server.database) as database,
            database.transaction() as tx,
        ):
            await tx.execute(
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO changes (kind, sid, until) SELECT 'session', 'sid-' || i, ? FROM n",
                (rows - 1, int(time.time()) + 3600),
            )

    asyncio.run(fill())
    time.sleep(1.5)
    first = read(ask(server.port, "/auth/revocations"), server)
    assert (first["more"], len(first["changes"])) == (True, 10_000)
    second = read(ask(server.port, f"/auth/revocations?since={first['next']}"), server)
    assert (second["more"], len(second["changes"])) == (False, rows - 10_000)
    sids = {row[2] for row in first["changes"] + second["changes"]}
    assert sids == {f"sid-{number}" for number in range(rows)}


@pytest.mark.parametrize(
    "changes",
    [{"JWT_SECRET_KEY": "another" + STRONG}, {"PUBLIC_URL": "http://other.localhost:8080"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_new_key_or_issuer_is_sent_again(
    issuer: Server, start: Start, changes: dict[str, str]
) -> None:
    before, twin, after = issuer, start(beside=issuer), start(beside=issuer, **changes)
    rested(3)
    document = ask(before.port, "/auth/revocations").text
    place = jwt.decode(document, options={"verify_signature": False})["next"]
    first = ask(before.port, f"/auth/revocations?since={place}")
    known = {"If-None-Match": first["ETag"]}
    asked = [
        ask(each.port, f"/auth/revocations?since={place}", headers=known)
        for each in (before, twin, after)
    ]
    assert [answer.status for answer in asked] == [304, 304, 200]
    assert len(first["ETag"]) < 100
