"""Seeds: put in what is missing, change nothing else, and say what is wrong with a file."""

import json
from pathlib import Path

import pytest

from service import users
from service.db import Database
from service.errors import Fault, InvalidName
from service.users import User, seeds
from service.users.seeds import DEMO, Seed
from tests.support.people import delete, everybody
from tests.support.stores import watched

SHAPE = r'must look like {"users": \[{"username": "ada", "roles": \["editor"\]}\]}\.$'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a seed file may come to be."""
    return tmp_path / "seed.json"


def of(*entries: object) -> str:
    """Return the text of a seed file with these entries."""
    return json.dumps({"users": entries})


async def people(database: Database) -> dict[str, User]:
    """Return all users by name."""
    return {user["username"]: user for user in await everybody(database)}


async def test_the_demo_users_have_their_roles(database: Database) -> None:
    seeded = await people(database)
    assert {name: {role["role"] for role in user["roles"]} for name, user in seeded.items()} == {
        "admin": {"manage_users", "manage_documents", "manage_communities"},
        "contributor": {"add_documents", "add_communities"},
        "manager": {"manage_documents", "manage_communities"},
        "user": {"view_documents", "view_communities"},
    }


async def test_seeding_twice_changes_nothing(database: Database) -> None:
    before = await people(database)
    assert await seeds.apply(database, seeds.read(DEMO)) == []
    assert await people(database) == before


async def test_who_is_there_keeps_the_roles_he_has(database: Database) -> None:
    before = await people(database)
    assert await seeds.apply(database, [("user", ("manage_users",)), ("ada", ())]) == ["ada"]
    assert (await people(database))["user"] == before["user"]


async def test_a_user_of_the_demo_who_was_deleted_comes_back(database: Database) -> None:
    async with database.transaction() as tx:
        await delete(tx, "manager")
    assert await seeds.apply(database, seeds.read(DEMO)) == ["manager"]


async def test_roles_that_are_missing_are_made(database: Database) -> None:
    await seeds.apply(database, [("ada", ("editor", "manage_users")), ("bob", ("editor",))])
    counts = {row["role"]: row["users"] for row in await users.list_roles(database)}
    assert (counts["editor"], counts["manage_users"]) == (2, 2)


async def test_the_users_that_there_are_are_not_counted_for_each_new_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = await watched(database, monkeypatch)
    seed: Seed = [(f"new-{number}", ("editor",)) for number in range(20)]
    assert len(await seeds.apply(database, seed)) == 20
    reading = [each for each in statements if each.lstrip().startswith("SELECT")]
    assert len(reading) < 10
    assert not [each for each in reading if "count(" in each]


async def test_a_seed_that_fails_leaves_nothing(database: Database) -> None:
    before = await people(database)
    with pytest.raises(InvalidName, match="A role name starts with"):
        await seeds.apply(database, [("ada", ("editor",)), ("bob", ("no, role",))])
    assert await people(database) == before
    assert "editor" not in {row["role"] for row in await users.list_roles(database)}


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        (of(), []),
        (of({"username": "Ada"}), [("ada", ())]),
        (of({"username": "ada", "roles": ["b", "a", "b"]}), [("ada", ("b", "a"))]),
    ],
    ids=["nobody", "no roles", "a role twice"],
)
def test_a_good_file_is_read(file: Path, text: str, seed: Seed) -> None:
    file.write_text(text)
    assert seeds.read(file) == seed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"is not JSON: Expecting value"),
        ("users: ada", r"is not JSON: Expecting value"),
        ('{"users": [], "users": []}', r"is not JSON: a member name is a duplicate\.$"),
        ("[" * 100_000, r"is not JSON: nested too deeply\.$"),
        ("\ufeff{}", r"is not JSON: "),
        (b'{"users": "\xff"}', r"is not JSON: 'utf-8' codec"),
        ("null", SHAPE),
        ('["ada"]', SHAPE),
        ("{}", SHAPE),
        ('{"users": {"ada": []}}', SHAPE),
        (of("ada"), rf", user 1: it {SHAPE}"),
        (of({"username": "ada"}, None), rf", user 2: it {SHAPE}"),
        (of({"roles": []}), rf", user 1: it {SHAPE}"),
        (of({"username": 7}), rf", user 1: it {SHAPE}"),
        (of({"username": "ada", "roles": "editor"}), rf", user 1: it {SHAPE}"),
        (of({"username": "ada", "roles": None}), rf", user 1: it {SHAPE}"),
        (of({"username": "ada", "role": ["editor"]}), rf", user 1: it {SHAPE}"),
        (of({"username": "ada", "roles": [7]}), r", user 1: roles must be strings\.$"),
        (of({"username": "ada", "roles": ["a,b"]}), r", user 1: A role name starts with"),
        (of({"username": "a b"}), r", user 1: A user name starts with"),
        (of({"username": "a" * 10_000}), r", user 1: A user name starts with"),
        (of({"username": "ada"}, {"username": "ADA", "roles": ["a"]}), r", user 2: .*ada"),
    ],
    ids=[
        *("empty", "YAML", "a member twice", "too deep", "byte order mark", "not UTF-8"),
        *("null", "a list", "no users", "users not a list"),
        *("a text for a user", "null for a user", "no name", "a number for a name"),
        *("a text for roles", "null for roles", "a member misspelt"),
        *("a number for a role", "a bad role", "a bad name", "a long name", "a user twice"),
    ],
)
def test_a_bad_file_is_a_fault_that_says_what_is_wrong_and_where(
    file: Path, text: str | bytes, message: str
) -> None:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Fault, match=f"^The seed file {file}.*{message}"):
        seeds.read(file)


def test_a_file_that_cannot_be_read_is_a_fault(file: Path) -> None:
    with pytest.raises(Fault, match=rf"^The seed file {file} cannot be read: No such file"):
        seeds.read(file)
    with pytest.raises(Fault, match=rf"^The seed file {file.parent} cannot be read: Is a dir"):
        seeds.read(file.parent)
