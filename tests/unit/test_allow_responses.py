"""What is kept of the answers to a proxy: never what is no longer so, never without bound."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service import errors, keys, users
from service.config import DatabaseUrl as Where
from service.db import Database
from service.forward_auth import allow_responses
from service.forward_auth.allow_responses import AllowResponses
from service.tokens.claims import Claims
from service.tokens.issuer import TokenIssuer
from tests.support.environment import Settings
from tests.support.keyfiles import key
from tests.support.people import BY
from tests.support.stores import unreachable

STORES = ("sqlite",)  # no store has a part in this


class Clock:
    """A clock that stands until it is set."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time, as seconds since 1970."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


@pytest.fixture
def tokens(settings: Settings, tmp_path: Path, clock: Clock) -> TokenIssuer:
    """Return tokens that are signed by a key pair."""
    key(tmp_path / "keys.json", "generate")
    config = settings(JWT_ALGORITHM="EdDSA", JWT_KEYS_FILE=str(tmp_path / "keys.json"))
    made = TokenIssuer(config, keys.load(config), clock=clock)
    made.horizon = 2**62
    return made


async def claims_of(database: Database, tokens: TokenIssuer, username: str = "user") -> Claims:
    """Return the claims of somebody who signs in now."""
    user = await users.get_by_username(database, username)
    return tokens.issue(user, amr=("bypass",))[1]


async def test_no_assertion_lasts_longer_because_the_clock_was_fast(
    database: Database, tokens: TokenIssuer, clock: Clock
) -> None:
    known, claims = AllowResponses(database, tokens), await claims_of(database, tokens)
    clock.now += 3600
    first = await known.of(claims, "app")
    clock.now -= 3600
    assert await known.of(claims, "app") is not first


async def test_an_assertion_is_made_anew_after_half_a_minute(
    database: Database, tokens: TokenIssuer, clock: Clock
) -> None:
    known, claims = AllowResponses(database, tokens), await claims_of(database, tokens)
    first = await known.of(claims, "app")
    assert await known.of(claims, "app") is first
    clock.now += 29
    assert await known.of(claims, "app") is first
    clock.now += 1
    second = await known.of(claims, "app")
    assert second is not first
    assert second.headers["X-Latchkey-Assertion"] != first.headers["X-Latchkey-Assertion"]


async def test_a_host_and_a_change_of_the_user_have_answers_of_their_own(
    database: Database, tokens: TokenIssuer
) -> None:
    known, claims = AllowResponses(database, tokens), await claims_of(database, tokens)
    answers = {id(await known.of(claims, host)): host for host in ("a", "b", None, "a", None)}
    assert len(answers) == 3
    async with database.transaction() as tx:
        user = await users.get_by_username(tx, "user")
        await users.update(tx, BY, user, {"name": "Ute"})
    renamed = await known.of(await claims_of(database, tokens), None)
    assert renamed.headers["Remote-Name"] == "Ute"


async def test_many_who_ask_at_once_are_one_question(
    database: Database, tokens: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    look_up = users.find_by_id

    async def counted(db: Database, user_id: int) -> users.User | None:
        asked.append(user_id)
        return await look_up(db, user_id)

    monkeypatch.setattr(users, "find_by_id", counted)
    known, claims = AllowResponses(database, tokens), await claims_of(database, tokens)
    answers = await asyncio.gather(*(known.of(claims) for _ in range(50)))
    assert len(set(map(id, answers))) == len(asked) == 1


@asynccontextmanager
async def away(where: Where, database: Database) -> AsyncIterator[None]:
    """Take the database away from this process."""
    if where.path is None:
        with unreachable(where):
            yield
        return
    elsewhere = where.path.rename(where.path.with_suffix(".away"))
    with pytest.raises(errors.DatabaseUnavailable):
        await database.data_version("")
    yield
    elsewhere.rename(where.path)
    await database.data_version("")


async def test_while_the_database_is_gone_the_name_is_left_out_and_not_remembered(
    where: Where, tokens: TokenIssuer, database: Database
) -> None:
    async with database.transaction() as tx:
        await users.update(tx, BY, await users.get_by_username(tx, "user"), {"name": "Ute"})
    claims = await claims_of(database, tokens)
    known = AllowResponses(database, tokens)
    async with away(where, database):
        answer = await known.of(claims, "app")
    assert answer.headers["Remote-User"] == "user"
    assert answer.headers["Remote-Name"] == "-"
    assert (await known.of(claims, "app")).headers["Remote-Name"] == "Ute"


async def test_a_deleted_user_has_no_name(database: Database, tokens: TokenIssuer) -> None:
    claims = await claims_of(database, tokens)
    async with database.transaction() as tx:
        await users.delete(tx, BY, await users.get_by_username(tx, "user"))
    assert (await AllowResponses(database, tokens).of(claims)).headers["Remote-Name"] == "-"


async def test_who_gets_id_and_version_of_another_user_after_a_restore_is_named_rightly(
    database: Database, tokens: TokenIssuer
) -> None:
    known, claims = AllowResponses(database, tokens), await claims_of(database, tokens)
    assert (await known.of(claims)).headers["Remote-User"] == "user"
    new: Claims = {**claims, "username": "kim", "roles": []}
    assert (await known.of(new, not_before=1)).headers["Remote-User"] == "kim"


async def test_what_is_kept_has_a_bound(
    database: Database, tokens: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allow_responses, "REMEMBERED_BYTES", 20_000)
    known, claims = AllowResponses(database, tokens), await claims_of(database, tokens)
    for number in range(20):
        await known.of(claims, f"host{number}")
    assert 3 <= len(known._known) <= 6
    assert known._known.bytes <= 20_000
    assert (claims["id"], claims["ver"], "host19", 0) in known._known
