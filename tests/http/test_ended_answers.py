"""A session that ends while its request waits for an answer that takes long: it is over."""

import asyncio
from typing import Any

import pytest

from service import keys, middleware, users
from service.providers import identities
from service.tokens.claims import Claims
from service.web import context
from tests.http.test_ended_meanwhile import BY, MANAGER, OTHER_SECRET, served
from tests.support import people
from tests.support.client import cookie
from tests.support.environment import Settings
from tests.support.served import Served

__all__ = ["served"]

pytestmark = pytest.mark.both_stores


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return what lets reading users go on; until then it takes its time."""
    go_on = asyncio.Event()
    read_one, read_page = users.find_by_id, users.page

    async def by_id(*arguments: Any) -> Any:
        await go_on.wait()
        return await read_one(*arguments)

    async def a_page(*arguments: Any) -> Any:
        await go_on.wait()
        return await read_page(*arguments)

    monkeypatch.setattr(users, "find_by_id", by_id)
    monkeypatch.setattr(users, "page", a_page)
    return go_on


@pytest.mark.parametrize("path", ["/auth/verify", "/auth/me", "/auth/token", "/api/v1/users"])
@pytest.mark.parametrize("end", ["signed out", "key gone"])
async def test_an_answer_that_took_long_is_for_a_session_that_goes_on(
    served: Served, slow: asyncio.Event, settings: Settings, path: str, end: str
) -> None:
    """With new roles, which make everybody who asks wait for the look-up of the user."""
    token = await served.sign_in(MANAGER)
    async with served.database.transaction() as tx:
        await users.grant(tx, BY, MANAGER, "view_documents")
    served.app[context.REVOCATION].apply_own(tx.events)
    asking = asyncio.create_task(served.ask("GET", path, cookie(token)))
    await asyncio.sleep(middleware.QUICK_SECONDS)
    if end == "key gone":
        served.app[context.TOKENS].use(keys.load(settings(JWT_SECRET_KEY=OTHER_SECRET)))
    else:
        feed = served.app[context.REVOCATION]
        await people.end_session(served.database, feed, served.claims(token))
    slow.set()
    code = "token_invalid" if end == "key gone" else "token_revoked"
    assert await asking == (401, code)


async def test_an_answer_that_took_long_has_the_new_roles(
    served: Served, slow: asyncio.Event
) -> None:
    token = await served.sign_in(MANAGER)
    asking = asyncio.create_task(served.ask("GET", "/auth/verify?role=manage_users", cookie(token)))
    await asyncio.sleep(middleware.QUICK_SECONDS)
    async with served.database.transaction() as tx:
        await users.revoke(tx, BY, MANAGER, "manage_users")
    served.app[context.REVOCATION].apply_own(tx.events)
    slow.set()
    assert (await asking)[0] == 403


async def test_a_quick_answer_is_not_asked_about_twice(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await served.sign_in("user")
    asked = []
    feed = served.app[context.REVOCATION]
    check = feed.check

    async def counted(claims: Claims) -> Claims:
        asked.append(claims)
        return await check(claims)

    monkeypatch.setattr(feed, "check", counted)
    for path in ("/auth/me", "/auth/verify", "/auth/token"):
        assert (await served.ask("GET", path, cookie(token)))[0] == 200
    assert len(asked) == 3


async def test_a_form_that_is_shown_again_late_is_for_a_session_that_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, read = asyncio.Event(), identities.of_user

    async def of_user(*arguments: Any) -> Any:
        await slow.wait()
        return await read(*arguments)

    monkeypatch.setattr(identities, "of_user", of_user)
    token = await served.sign_in("admin")
    headers = {**cookie(token), "Accept": "text/html"}
    path, form = "/admin/users/4/accounts", {"provider": "", "subject": ""}
    asking = asyncio.create_task(served.ask("POST", path, headers, data=form))
    await asyncio.sleep(middleware.QUICK_SECONDS)
    feed = served.app[context.REVOCATION]
    await people.end_session(served.database, feed, served.claims(token))
    slow.set()
    assert (await asking)[0] == 401
