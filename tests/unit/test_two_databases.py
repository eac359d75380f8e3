"""One contract, two databases: the same answers to case, NUL, odd letters, order and conflict."""

import unicodedata
from pathlib import Path

import pytest

from service import users
from service.config import DatabaseUrl as Where
from service.db import ConstraintError, Database
from tests.support.commands import command
from tests.support.environment import free_port
from tests.support.people import BY, everybody
from tests.support.stores import writing

NAMES = [
    "Ada",
    "ada",
    "Äda",
    "äDA",
    "Zoë",
    "zoe",
    "Zoe\u0308",
    "ΟΔΟΣ",
    "οδοςα",
    "Straße",
    "STRASSE",
    "İzmir",
    "izmir",
    "\u0131spanak",
    "ﬁne",
    "\U0001f600 smile",
    "\ufffd",
    "a_b%c!d\\e",
    "100%",
    "o'Brien",
    'say "hi"',
    "日本語の名",
    "한국어",
    "Ǆ",
    "ǆ",
    "ᾳ",
    "ᾼ",
    "a b",
    "a\u00a0b",
    "-",
    "~",
    " x ",
]
QUERIES = [
    "ada",
    "ADA",
    "äda",
    "ÄDA",
    "zoë",
    "ZOË",
    "zoe\u0308",
    "οδο",
    "ΟΔΟ",
    "δοσ",
    "ΔΟΣ",
    "straße",
    "STRAßE",
    "strasse",
    "zmi",
    "izmir",
    "ISPANAK",
    "spanak",
    "ﬁne",
    "\U0001f600 s",
    "b%c",
    "_b%",
    "!d\\",
    "00%",
    "o'b",
    '"hi',
    "日本語",
    "한국어",
    "a b",
    "x  ",
    "person-0",
    "PERSON-1",
    "@example",
    "...",
    "%%%",
]


async def fill(database: Database) -> None:
    """Create a user for each name."""
    async with database.transaction() as tx:
        for number, name in enumerate(NAMES):
            email = f"{number}@Example.org" if number % 2 else None
            await users.create(tx, BY, f"person-{number:02}", name=name, email=email)


async def test_lists_are_sorted_by_bytes(database: Database) -> None:
    await fill(database)
    for sort in ("name", "username"):
        for descending in (False, True):
            query = users.Query(limit=1000, sort=sort, descending=descending)
            found, _ = await users.page(database, query)
            texts = [((user[sort] or "").encode(), user["id"]) for user in found]
            assert texts == sorted(texts, reverse=descending)


async def test_pages_of_every_order_join_up(database: Database) -> None:
    await fill(database)
    for sort in users.SORTS:
        whole, _ = await users.page(database, users.Query(limit=1000, sort=sort))
        found, after = await users.page(database, users.Query(limit=7, sort=sort))
        while after is not None:
            more, after = await users.page(database, users.Query(limit=7, sort=sort, after=after))
            found += more
        assert [user["id"] for user in found] == [user["id"] for user in whole]


async def test_searching_finds_what_contains_the_text_whatever_its_case_is(
    database: Database,
) -> None:
    """What is found is the same set on both: written here as what it is, not what one says."""
    await fill(database)
    for text in QUERIES:
        found, _ = await users.page(database, users.Query(limit=1000, q=text))
        wanted = _folded(text)
        expected = {
            user["username"]
            for user in await everybody(database)
            for column in ("username", "name", "email")
            if wanted in _folded(user[column] or "")
        }
        assert {user["username"] for user in found} == expected, text


def _folded(text: str) -> str:
    """Fold as Unicode says it: compatibility forms made one, then no capitals."""
    return unicodedata.normalize("NFKC", text).casefold()


@pytest.mark.parametrize("value", ["a\0b", "\ud800", 2**63, -(2**63) - 1])
async def test_a_value_that_one_of_them_could_not_keep_is_refused_by_both(
    database: Database, value: object
) -> None:
    async def write() -> None:
        async with database.transaction() as tx:
            await tx.execute("UPDATE users SET name = ?, version = 2 WHERE id = 1", (value,))

    with pytest.raises(ValueError):  # noqa: PT011  # each says it in its own words
        await database.fetch_all("SELECT 1 FROM users WHERE name = ?", (value,))
    with pytest.raises(ValueError):  # noqa: PT011  # the same
        await write()
    assert await database.fetch_all("SELECT version FROM users WHERE id = 1") == [{"version": 1}]


async def test_integers_have_64_bits_and_a_bool_is_0_or_1(database: Database) -> None:
    async with database.transaction() as tx:
        for number in (2**63 - 1, 1, True):
            await tx.execute("UPDATE users SET version = ? WHERE id = 1", (number,))
            row = await tx.fetch_one("SELECT version FROM users WHERE id = 1")
            assert row == {"version": int(number)}
            assert row is not None
            assert type(row["version"]) is int
        await tx.execute("UPDATE users SET disabled = ? WHERE id = 1", (True,))
        assert await tx.fetch_one("SELECT disabled FROM users WHERE id = 1") == {"disabled": 1}


async def test_names_that_differ_in_case_or_form_are_two(database: Database) -> None:
    async with database.transaction() as tx:
        for role in ("editor", "Editor", "éditeur", "e\u0301diteur"):
            await tx.execute("INSERT INTO roles (role) VALUES (?)", (role,))
    rows = await database.fetch_all("SELECT id FROM roles WHERE role = ?", ("Editor",))
    assert len(rows) == 1
    with pytest.raises(ConstraintError):
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO roles (role) VALUES (?)", ("éditeur",))


async def test_ids_are_never_used_twice(database: Database) -> None:
    async with database.transaction() as tx:
        first = await users.create(tx, BY, "ada")
    async with database.transaction() as tx:
        await users.delete(tx, BY, first)
    async with database.transaction() as tx:
        second = await users.create(tx, BY, "ada")
    assert second["id"] > first["id"]


def test_a_server_that_cannot_write_when_it_starts_says_why(where: Where, folder: Path) -> None:
    with writing(where):
        ended = command(folder, "serve", PORT=str(free_port()))
    assert ended.returncode == 1
    assert "is not responding: " in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


async def test_a_statement_that_failed_spoils_its_transaction(database: Database) -> None:
    async def swallow() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO roles (role) VALUES ('new-role')")
            with pytest.raises(ConstraintError):
                await tx.execute("INSERT INTO roles (role) VALUES ('new-role')")
            with pytest.raises(ConstraintError):
                await tx.fetch_all("SELECT 1 FROM roles")

    with pytest.raises(ConstraintError):
        await swallow()
    assert await database.fetch_all("SELECT 1 FROM roles WHERE role = 'new-role'") == []
