"""Lists of users: the same as looking at everybody, by whichever way, and never by looking at all.

The ways are told apart by how many users there are, so here they are made to differ for few.
"""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from service import db, users
from service.config import DatabaseUrl as Where
from service.db import Database, Row
from service.db_tools import migrations, schema_state
from service.users import search
from service.users.search import Query
from tests.support.people import BY, rename
from tests.support.stores import Databases, Files, run_sql
from tests.support.thoroughness import EVERYTHING

PEOPLE = [
    (f"{first}.{last}{number}", f"{first.title()} {last.title()}", f"{first}{number}@{host}")
    for number, (first, last, host) in enumerate(
        itertools.product(
            ("ada", "zo", "b-o", "zed"),
            ("lovelace", "ng"),
            ("example.org", "xn--bcher-kva.example"),
        )
    )
]
ROLES = ("all", "some", "one", "late")
WAYS = {"sorted": (100, 3), "walked": (0, 100), "walked, then sorted": (0, 2)}
"""How many are few, and how many are walked past: what leads to each way."""

QUERIES = (None, "a", "EXAMPLE.org", "ada", "zed", '"', "zzz")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the lists go one of the ways."""
    few, walked = WAYS[request.param]
    monkeypatch.setattr(search, "FEW", few)
    monkeypatch.setattr(search, "WALKED", walked)
    return str(request.param)


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "without pg_trgm"])
def place(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Where]:
    """Yield where a new database is; one is where the index of PostgreSQL cannot be had."""
    folder = tmp_path_factory.mktemp("listing")
    if request.param == "sqlite":
        files: Files = request.getfixturevalue("files")
        made = files.empty(folder)
        migrations.up(made)
        yield made
    else:
        databases: Databases = request.getfixturevalue("databases")
        made = databases.empty(folder)
        is_owner = request.param == "postgresql"
        migrations.up(made if is_owner else databases.as_a_stranger(made))
        assert bool(run_sql(made, "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")) == (
            is_owner
        )
        yield made
        databases.drop(made)


@pytest.fixture
async def many(place: Where) -> AsyncIterator[Database]:
    """Yield a database with people who have roles and are disabled in every mixture."""
    async with db.connect(place) as opened:
        async with opened.transaction() as tx:
            if not await users.list_roles(tx):
                for role in ROLES:
                    await users.create_role(tx, BY, role)
                for number, (username, name, email) in enumerate(PEOPLE):
                    held = ["all", *(["some"] * (number % 2)), *(["one"] * (number == 3))]
                    held += ["late"] * (username >= "zed")
                    facts = {"name": name, "email": email, "disabled": number % 3 == 0}
                    await users.create(tx, BY, username, held, **facts)
        yield opened


def expected(everybody: list[users.User], query: Query) -> list[str]:
    """Return the names that a query has to find, in their order, by looking at everybody."""
    q = None if query.q is None else query.q.casefold()

    def passes(user: users.User) -> bool:
        texts = [user["username"], user["name"] or "", user["email"] or ""]
        return (
            (query.disabled is None or user["disabled"] == query.disabled)
            and (query.role is None or query.role in [each["role"] for each in user["roles"]])
            and (
                q is None
                or (
                    any(q in text.casefold() for text in texts)
                    if len(q) >= 3
                    else user["username"].startswith(q)
                )
            )
        )

    found = sorted(
        filter(passes, everybody),
        key=lambda user: (dict[str, Any](user)[query.sort], user["id"]),
        reverse=query.descending,
    )
    return [user["username"] for user in found]


def combinations() -> Iterator[dict[str, Any]]:
    """Yield every combination of filters and orders; while you work, one of five."""
    names = ("q", "role", "disabled", "sort", "descending")
    every = itertools.product(
        QUERIES, (None, *ROLES, "no-such-role"), (None, True, False), users.SORTS, (False, True)
    )
    for values in itertools.islice(every, 0, None, 1 if EVERYTHING else 5):
        yield dict(zip(names, values, strict=True))


@pytest.mark.usefixtures("way")
async def test_every_combination_finds_whom_looking_at_everybody_finds(many: Database) -> None:
    everybody, _ = await users.page(many, Query(limit=1000))
    assert len(everybody) == len(PEOPLE)
    for asked in combinations():
        found: list[str] = []
        after = None
        for _ in range(len(PEOPLE)):
            page, after = await users.page(many, Query(**asked, limit=4, after=after))
            found += [user["username"] for user in page]
            if after is None:
                break
        assert found == expected(everybody, Query(**asked)), asked


async def test_the_index_of_trigrams_serves_the_search(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = databases.seeded(tmp_path)
    run_sql(
        where,
        "INSERT INTO users (username, search, created_at, updated_at)"
        " SELECT 'n-' || n, md5(n::text), '', '' FROM generate_series(1, 5000) n",
    )
    databases.cluster.run("VACUUM ANALYZE users", database=where.shown.rpartition("/")[2])
    async with db.connect(where) as opened:
        found = [
            str(rows)
            for statement, rows in await plans(opened, Query(q="abcde"), monkeypatch)
            if "LIKE" in statement
        ]
        assert len(found) == 2
        assert all("Bitmap Index Scan on user_search" in plan for plan in found)
    databases.drop(where)


async def plans(
    many: Database, query: Query, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, list[Row]]]:
    """Return the statements that read a list, each with the rows of its plan."""
    read = many.fetch_all
    asked: list[tuple[str, Sequence[object]]] = []

    async def note(sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        asked.append((sql, parameters))
        return await read(sql, parameters)

    with monkeypatch.context() as patched:
        patched.setattr(many, "fetch_all", note)
        await users.page(many, query)
    assert asked
    explain = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}[many.kind]
    return [(sql, await read(f"{explain} {sql}", values)) for sql, values in asked]


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("sort", users.SORTS)
@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
async def test_no_combination_looks_at_all_users(
    many: Database, way: str, monkeypatch: pytest.MonkeyPatch, sort: str, *, descending: bool
) -> None:
    place = (4 if sort == "id" else "b", 4)
    for q, role, disabled, after in itertools.product(
        (None, "a", "ada"), (None, "all", "one"), (None, True, False), (None, place)
    ):
        query = Query(2, q, role, disabled, sort, descending, after)
        for statement, rows in await plans(many, query, monkeypatch):
            told = f"{query}\n{statement}\n{rows}"
            assert not any(row["detail"].startswith("SCAN users") for row in rows), told
            # Outside stands what is done to the page, inside what is done to find it.
            inside = [row["detail"] for row in rows if row["parent"]]
            if sort != "id":  # the order of the table itself
                assert "SCAN u" not in inside, told
            if any("TEMP B-TREE" in detail for detail in inside):
                assert "CROSS JOIN" in statement, told
                assert "sorted" in way, told


# --- What may stand in a question.


@pytest.mark.parametrize("way", ["walked", "sorted"], indirect=True)
@pytest.mark.parametrize(
    ("q", "finds"),
    [
        ("élodie", True),
        ("ÉLODIE", True),
        ("e\u0301lodie", True),  # in two characters
        ("STRASSE", True),
        ("straße", True),
        ("ﬁnn", True),  # a ligature
        ("finn", True),
        ("王小明", True),
        ('"the', True),
        ('the"', True),
        ("50%_*", True),
        ("o'neil", True),
        ("elodie", False),
        ("%%%", False),
        ("___", False),
        ("***", False),
        ("éloX*", False),
        ('" OR "', False),
        ("name:", False),
        ("NEAR(a b)", False),
        ("a\0b", False),
        ("\0\0\0", False),
        ("-élodie", False),
        ("^él", False),
        ("odd\nélodie", False),
    ],
    ids=ascii,
)
@pytest.mark.usefixtures("way")
async def test_a_question_is_taken_literally_but_for_letter_case(
    database: Database, q: str, *, finds: bool
) -> None:
    name = 'Élodie "the" Straße ﬁnn 50%_* O\'Neil 王小明'
    async with database.transaction() as tx:
        await users.create(tx, BY, "odd", name=name)
    found, _ = await users.page(database, Query(q=q))
    assert [user["username"] for user in found] == (["odd"] if finds else [])


async def test_what_is_searched_follows_each_change(database: Database) -> None:
    async def found(q: str) -> list[str]:
        return [user["username"] for user in (await users.page(database, Query(q=q)))[0]]

    async with database.transaction() as tx:
        await users.create(tx, BY, "ada", email="Ada@Example.org")
    assert await found("ada@example") == ["ada"]
    async with database.transaction() as tx:
        await users.update(tx, BY, await rename(tx, "ada", "countess"), {"name": "Ada L"})
    assert await found("ada l") == await found("countess") == await found("example") == ["countess"]
    async with database.transaction() as tx:
        await users.update(tx, BY, await users.get_by_username(tx, "countess"), {"email": None})
    assert await found("example") == []
    async with database.transaction() as tx:
        await users.delete(tx, BY, await users.get_by_username(tx, "countess"))
    assert await found("countess") == []


async def test_those_who_were_there_before_the_search_are_found_by_it(where: Where) -> None:
    migrations.down(where, len(schema_state.status(where)) - 3)
    run_sql(
        where,
        "INSERT INTO users (username, name, email, created_at, updated_at)"
        " VALUES ('elodie', 'ÉLODIE', '', '', '')",
    )
    migrations.up(where)
    async with db.connect(where) as opened:
        for q, name in (("élodie", "elodie"), ("ADMI", "admin")):
            found, _ = await users.page(opened, Query(q=q))
            assert [user["username"] for user in found] == [name]
