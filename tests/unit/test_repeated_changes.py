"""A change that is asked for many times at once happens once: one row, one entry in the audit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from service import audit, db, users
from service.audit import Actor
from service.config import DatabaseUrl as Where
from service.db import Database, Transaction
from service.providers import identities
from service.providers.sessions import ProviderSession, end, record
from tests.support import people
from tests.support.environment import Settings, free_port
from tests.support.served import TIMES, Served, serve
from tests.support.stores import watched


@pytest.fixture
async def served(settings: Settings, where: Where) -> AsyncIterator[Served]:
    """Yield a server; its clients keep no cookies."""
    del where
    config = settings(PORT=str(free_port()))
    connector = aiohttp.TCPConnector(limit=TIMES, force_close=True)
    async with serve(config, connector) as made:
        yield made


async def entries(served: Served) -> list[str]:
    """Return the actions in the audit besides those of the seeds."""
    found, _ = await audit.page(served.database, audit.Query(limit=200))
    return [row["action"] for row in found if row["action"] not in {"user_create", "role_create"}]


async def kinds(served: Served) -> list[str]:
    """Return the kinds of the rows in the feed."""
    return [row["kind"] for row in await people.feed_rows(served.database)]


async def test_signing_out(served: Served) -> None:
    token = await served.sign_in("user")
    assert set(await served.at_once("POST", "/auth/logout", token)) == {302}
    assert (await kinds(served), await entries(served)) == (["session"], [])


async def test_signing_out_everywhere(served: Served) -> None:
    token = await served.sign_in("user")
    await served.at_once("POST", "/auth/logout?everywhere=true", token)
    assert (await kinds(served), await entries(served)) == (["revoked"], ["user_sign_out"])


async def test_signing_out_everywhere_with_two_sessions_after_one_was_ended(
    served: Served,
) -> None:
    tokens = [await served.sign_in("user") for _ in range(2)]
    path = "/auth/logout?everywhere=true"
    await asyncio.gather(*(served.at_once("POST", path, token) for token in tokens))
    assert (await kinds(served), await entries(served)) == (["revoked"], ["user_sign_out"])


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PATCH", "/api/v1/users/4", {"disabled": True}, (["revoked"], ["user_update"])),
        ("PATCH", "/api/v1/users/4", {"name": "Ada"}, (["changed"], ["user_update"])),
        ("PATCH", "/api/v1/users/4", {"roles": ["manage_users"]}, (["changed"], ["user_update"])),
        ("DELETE", "/api/v1/users/4", None, (["revoked"], ["user_delete"])),
        (
            "POST",
            "/api/v1/users/4/identities",
            {"provider": "cas", "subject": "ada"},
            ([], ["identity_link"]),
        ),
    ],
    ids=["disable", "rename", "roles", "delete", "link"],
)
async def test_changes_by_the_api(
    served: Served,
    method: str,
    path: str,
    body: object,
    expected: tuple[list[str], list[str]],
) -> None:
    token = await served.sign_in("admin")
    statuses = await served.at_once(method, path, token, json=body)
    assert max(statuses) < 500
    assert (await kinds(served), await entries(served)) == expected


async def test_a_change_of_all_facts_takes_few_statements(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six, and each row is written once."""
    token = await served.sign_in("admin")
    facts = {
        "username": "ada",
        "name": "Ada",
        "email": "ada@example.org",
        "roles": ["view_documents", "view_communities", "manage_users"],
    }
    statements = await watched(served.database, monkeypatch)
    assert await served.at_once("PATCH", "/api/v1/users/4", token, json=facts, times=1) == [200]
    polls = ("data_version", "pg_is_in_recovery", "FROM changes WHERE seq > ")
    index = ("--", "user_search")  # SQLite reports its triggers, and after each the statement again
    run = [each.strip() for each in statements if not any(own in each for own in (*polls, *index))]
    frame = ("BEGIN", "COMMIT")
    transaction = list(dict.fromkeys(each for each in run if not each.startswith(frame)))
    assert len(transaction) == 6, [each[:60] for each in transaction]
    written = [each for each in transaction if not each.startswith("SELECT")]
    assert [each.partition(" SET ")[0].partition(" (")[0] for each in written] == [
        "UPDATE users",
        "INSERT INTO changes",
        "INSERT INTO user_roles",
        "INSERT INTO audit",
    ]


async def test_signing_a_user_out_by_the_api_counts_once_for_all_who_asked_before(
    served: Served,
) -> None:
    """Each request that came before the first has been answered asks for the same."""
    token, path, times = await served.sign_in("admin"), "/api/v1/users/4/sign-out", 20
    writers: Any = served.database
    async with served.database.transaction():
        asking = asyncio.create_task(served.at_once("POST", path, token, times=times))
        while len(writers._lock._waiters or ()) < times:  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(0.01)
    assert set(await asking) == {204}
    assert (await kinds(served), await entries(served)) == (["revoked"], ["user_sign_out"])


Change = Callable[[Transaction], Awaitable[object]]
ADMIN = Actor("admin", 1)


@pytest.mark.parametrize("change", ["disable", "grant", "revoke", "unlink", "provider logout"])
async def test_changes_by_two_processes(where: Where, change: str) -> None:
    async with db.connect(where) as one, db.connect(where) as other:
        user = await users.get_by_username(one, "user")
        session = ProviderSession("cas", "ada", "handle")
        async with one.transaction() as tx:
            await identities.link(tx, people.BY, user, "cas", "ada")
            await record(tx, session, {"sid": "s", "id": user["id"], "exp": 2**33})
        before = len((await audit.page(one, audit.Query(limit=200)))[0])

        async def unlink(tx: Transaction) -> None:
            await identities.unlink(tx, ADMIN, user, "cas", "ada")

        made: dict[str, Change] = {
            "disable": lambda tx: users.set_disabled(tx, ADMIN, "user", disabled=True),
            "grant": lambda tx: users.grant(tx, ADMIN, "user", "manage_users"),
            "revoke": lambda tx: users.revoke(tx, ADMIN, "user", "view_documents"),
            "unlink": unlink,
            "provider logout": lambda tx: end(tx, "cas", handle="handle"),
        }

        async def run(database: Database) -> None:
            async with database.transaction() as tx:
                await made[change](tx)

        both = (one, other) * (TIMES // 10)
        await asyncio.gather(*(run(each) for each in both), return_exceptions=True)
        assert len(await people.feed_rows(one)) == 1
        recorded = 0 if change == "provider logout" else 1
        assert len((await audit.page(one, audit.Query(limit=200)))[0]) == before + recorded
