"""A session that ends while its request waits for the writer of the database: it is over."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from service import app as wiring
from service import db, keys, users
from service.audit import Actor
from service.config import DatabaseUrl as Where
from service.db import Transaction
from service.providers import identities
from service.revocation import events
from service.tokens.claims import Claims
from service.web import access, context
from tests.support.client import cookie
from tests.support.environment import SECRET, Settings, free_port
from tests.support.people import feed_rows
from tests.support.served import Served, serve

pytestmark = pytest.mark.both_stores

OTHER_SECRET = SECRET.swapcase()
MANAGER = "mallory"
BY = Actor("test")


@pytest.fixture
async def served(settings: Settings, where: Where) -> AsyncIterator[Served]:
    """Yield a server with a manager besides the demo users, and an account that is linked."""
    del where
    async with serve(settings(PORT=str(free_port()))) as made:
        async with made.database.transaction() as tx:
            await users.create(tx, BY, MANAGER, ["manage_users"])
            user = await users.get_by_username(tx, "user")
            await identities.link(tx, BY, user, "cas", "linked")
        yield made


CHANGES: dict[tuple[str, str], Any] = {
    ("POST", "/api/v1/users"): {"username": "backdoor", "roles": ["manage_users"]},
    ("PUT", "/api/v1/users/{id}"): {"username": "user", "roles": ["manage_users"]},
    ("PATCH", "/api/v1/users/{id}"): {"roles": ["manage_users"]},
    ("DELETE", "/api/v1/users/{id}"): None,
    ("POST", "/api/v1/users/{id}/sign-out"): None,
    ("POST", "/api/v1/users/{id}/identities"): {"provider": "cas", "subject": "mallory"},
    ("DELETE", "/api/v1/users/{id}/identities"): "?provider=cas&subject=linked",
    ("POST", "/api/v1/roles"): {"role": "new_role"},
    ("DELETE", "/api/v1/roles/{role}"): None,
    ("POST", "/admin/users/new"): {"username": "backdoor", "roles": "manage_users"},
    ("POST", "/admin/users/{id}"): {"username": "user", "roles": "manage_users", "version": "1"},
    ("POST", "/admin/users/{id}/sign-out"): {},
    ("POST", "/admin/users/{id}/delete"): {"version": "1"},
    ("POST", "/admin/users/{id}/accounts"): {"provider": "cas", "subject": "mallory"},
    ("POST", "/admin/users/{id}/accounts/unlink"): {"provider": "cas", "subject": "linked"},
    ("POST", "/admin/roles"): {"role": "new_role"},
    ("POST", "/admin/roles/{role}/delete"): {},
}
"""Every way to change something on behalf of a session, with a body or a query that is good."""

CREATE = ("POST", "/api/v1/users")


async def change(served: Served, way: tuple[str, str], token: str) -> tuple[int, str]:
    """Change something in one of these ways."""
    (method, path), body = way, CHANGES[way]
    user = await users.get_by_username(served.database, "user")
    roles = await users.role_ids(served.database)
    path = path.format(id=user["id"], role=roles["view_documents"])
    headers = cookie(token)
    if isinstance(body, str):
        return await served.ask(method, path + body, headers)
    if path.startswith("/admin"):
        return await served.ask(method, path, headers, data=body)
    return await served.ask(method, path, headers, json=body)


async def until_somebody_waits(served: Served) -> None:
    """Wait until a change waits for the writer of this process, or holds it."""
    writer: Any = served.database
    while not writer._lock.locked():  # noqa: ASYNC110  # no event tells
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


Ending = Callable[[Transaction, Claims], Awaitable[object]]
ENDS: dict[str, Ending] = {
    "signed out": lambda tx, claims: events.session_ended(tx, claims["sid"], claims["exp"]),
    "signed out everywhere": lambda tx, claims: users.sign_out(tx, BY, claims["id"]),
    "disabled": lambda tx, _: users.set_disabled(tx, BY, MANAGER, disabled=True),
    "signed out with all": lambda tx, _: users.sign_out_all(tx, BY, int(time.time())),
}


async def delete_mallory(tx: Transaction, _claims: Claims) -> None:
    await users.delete(tx, BY, await users.get_by_username(tx, MANAGER))


async def disable_for_a_moment(tx: Transaction, _claims: Claims) -> None:
    await users.set_disabled(tx, BY, MANAGER, disabled=True)
    await users.set_disabled(tx, BY, MANAGER, disabled=False)


ENDS |= {"deleted": delete_mallory, "disabled for a moment": disable_for_a_moment}


async def ended_while_waiting(served: Served, where: Where, way: tuple[str, str], end: str) -> None:
    """Let another process end the session of a change that waits for the writer."""
    token = await served.sign_in(MANAGER)
    claims = served.claims(token)
    async with db.connect(where) as replica:
        async with replica.transaction() as tx:
            asking = asyncio.create_task(change(served, way, token))
            await until_somebody_waits(served)
            await ENDS[end](tx, claims)
        answer = await asking
        assert answer == (401, "token_revoked")


@pytest.mark.parametrize("way", CHANGES, ids=" ".join)
async def test_a_change_is_made_by_a_session_that_goes_on_and_by_no_other(
    served: Served, where: Where, way: tuple[str, str]
) -> None:
    before = await served.everything()
    await ended_while_waiting(served, where, way, "signed out")
    assert await served.everything() == before
    status, _ = await change(served, way, await served.sign_in(MANAGER))
    assert status in {200, 201, 204, 303}
    assert await served.everything() != before


@pytest.mark.parametrize("end", ENDS)
async def test_whatever_ended_the_session(served: Served, where: Where, end: str) -> None:
    await ended_while_waiting(served, where, CREATE, end)
    assert await users.find_by_username(served.database, "backdoor") is None


async def test_a_manager_who_is_demoted_meanwhile_changes_nothing(
    served: Served, where: Where
) -> None:
    token = await served.sign_in(MANAGER)
    async with db.connect(where) as replica:
        async with replica.transaction() as tx:
            asking = asyncio.create_task(change(served, CREATE, token))
            await until_somebody_waits(served)
            await users.revoke(tx, BY, MANAGER, "manage_users")
        assert await asking == (403, "role_missing")


async def test_a_key_that_is_gone_meanwhile_changes_nothing(
    served: Served, settings: Settings
) -> None:
    token = await served.sign_in(MANAGER)
    async with served.database.transaction():
        asking = asyncio.create_task(change(served, CREATE, token))
        await until_waiting(served)
        served.app[context.TOKENS].use(keys.load(settings(JWT_SECRET_KEY=OTHER_SECRET)))
    assert await asking == (401, "token_invalid")


async def test_a_token_that_expires_meanwhile_changes_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await served.sign_in(MANAGER)
    tokens = served.app[context.TOKENS]
    async with served.database.transaction():
        asking = asyncio.create_task(change(served, CREATE, token))
        await until_waiting(served)
        monkeypatch.setattr(tokens, "_clock", lambda: time.time() + 6 * 3600)
    assert await asking == (401, "token_expired")


async def test_signing_out_everywhere_is_for_sessions_that_go_on(
    served: Served, where: Where
) -> None:
    """What a moment for all sessions has ended ends nothing itself."""
    token = await served.sign_in(MANAGER)
    async with db.connect(where) as replica:
        async with replica.transaction() as tx:
            asking = asyncio.create_task(
                served.ask("POST", "/auth/logout?everywhere=true", cookie(token))
            )
            await until_somebody_waits(served)
            await users.sign_out_all(tx, BY, int(time.time()))
        assert (await asking)[0] == 302
    rows = await feed_rows(served.database)
    assert [row["kind"] for row in rows if row["kind"] == "revoked"] == []


async def until_waiting(served: Served) -> None:
    """Wait until a change waits for this process's writer, which is taken."""
    writer: Any = served.database
    while not writer._lock._waiters:  # noqa: ASYNC110  # no event tells
        await asyncio.sleep(0.01)


def test_every_route_that_changes_something_for_a_session_is_in_the_table(
    settings: Settings,
) -> None:
    app = wiring.create_app(settings())
    found = set()
    for route in app.router.routes():
        assert route.resource is not None
        is_for_sessions = not access.rules(route.handler).public
        if is_for_sessions and route.method in {"POST", "PUT", "PATCH", "DELETE"}:
            path = route.resource.canonical
            roles = "/roles/{id}"
            found.add((route.method, path.replace(roles, "/roles/{role}")))
    assert found == CHANGES.keys()
