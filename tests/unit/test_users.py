"""Users and roles: the one form of their names, their rows as dicts, and versions that count up."""

import re
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service import users
from service.db import Database, Transaction
from service.errors import (
    InvalidName,
    RoleNotFound,
    RoleTaken,
    UsernameTaken,
    UserNotFound,
)
from service.users import User
from tests.support.people import BY, delete, everybody, feed_rows
from tests.support.stores import watched
from tests.support.thoroughness import some

TEMPTING = "aZ09._@+-\u212a\u017f\u0130\uff21\u0430\u0660\u00df\x00\n \u200d\ud800"


async def alter(database: Database, action: Callable[[Transaction], Awaitable[object]]) -> object:
    """Do one thing in a transaction."""
    async with database.transaction() as tx:
        return await action(tx)


async def versions(database: Database) -> dict[str, int]:
    """Return every user's version by name."""
    return {user["username"]: user["version"] for user in await everybody(database)}


def names(user: User) -> list[str]:
    """Return the names of a user's roles."""
    return [role["role"] for role in user["roles"]]


# --- Names.


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("admin", "admin"),
        ("ADMIN", "admin"),
        ("7", "7"),
        ("Ada.Lovelace_1815@Example-Site.org", "ada.lovelace_1815@example-site.org"),
        ("a" * 64, "a" * 64),
    ],
)
def test_a_good_name_has_one_form(text: str, name: str) -> None:
    assert users.normalize_username(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-admin",
        ".admin",
        "@admin",
        "a" * 65,
        "a" * 10_000,
        " admin",
        "admin ",
        "admin\n",
        "ad\tmin",
        "ad\x00min",
        "admin\x00",
        "ad\x1b[31mmin",
        "admin\ud800",
        "\udcff",
        "a,b",
        "a'b",
        "a/b",
        "a%b",
        "admin;--",
        "\u212aim",
        "\u017fam",
        "\u0130brahim",
        "\uff41\uff44\uff4d\uff49\uff4e",
        "\u0430dmin",
        "admi\u0144",
        "adm\u200din",
        "\u0661\u0662",
        "\U0001d41admin",
        "stra\u00dfe",
    ],
    ids=ascii,
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        users.normalize_username(text)


@given(st.text(st.sampled_from(TEMPTING) | st.characters(), max_size=70))
@hypothesis_settings(max_examples=some(300))
def test_a_name_is_its_own_canonical_form_or_none_at_all(text: str) -> None:
    plain = text.isascii() and re.fullmatch(r"[a-z0-9][a-z0-9._@+-]{0,63}", text.lower())
    try:
        name = users.normalize_username(text)
    except InvalidName:
        assert not plain
    else:
        assert plain
        assert name == text.lower() == users.normalize_username(name)


@pytest.mark.parametrize("role", ["manage_users", "7", "team:docs.write-all", "a" * 64])
def test_a_good_role_is_taken_as_it_is(role: str) -> None:
    assert users.normalize_role(role) == role


@pytest.mark.parametrize(
    "role",
    ["", "_a", ":a", "Admin", "a,b", "a b", "a\n", "a\x00", "a@b", "\u212a", "\udcff", "a" * 65],
    ids=ascii,
)
def test_a_role_that_a_header_could_not_carry_is_refused(role: str) -> None:
    with pytest.raises(InvalidName, match="A role name starts with a letter or a digit"):
        users.normalize_role(role)


# --- Reading.


async def test_a_user_is_a_plain_dict_with_its_roles_in_the_order_of_their_ids(
    database: Database,
) -> None:
    user = dict(await users.get_by_username(database, "Admin"))
    moment = str(user.pop("created_at"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)
    assert user == {
        "id": 1,
        "username": "admin",
        "name": None,
        "email": None,
        "disabled": False,
        "version": 1,
        "updated_at": moment,
        "roles": [
            {"id": 1, "role": "manage_users"},
            {"id": 2, "role": "manage_documents"},
            {"id": 3, "role": "manage_communities"},
        ],
    }


async def test_a_user_and_its_roles_are_one_query(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = await watched(database, monkeypatch)
    user = await users.find_by_username(database, "admin")
    assert user is not None
    assert len(user["roles"]) == 3
    assert len(statements) == 1


async def test_whom_nobody_knows_is_none_to_one_reader_and_an_error_to_the_other(
    database: Database,
) -> None:
    assert await users.find_by_username(database, "nobody") is None
    with pytest.raises(UserNotFound) as caught:
        await users.get_by_username(database, "Nobody")
    assert caught.value.detail == "The user nobody does not exist. `user list` lists all users."


async def test_everybody_is_listed_in_the_order_of_the_names_even_without_roles(
    database: Database,
) -> None:
    await alter(database, lambda tx: users.create(tx, BY, "Bob"))
    listed = await everybody(database)
    assert [user["username"] for user in listed] == [
        "admin",
        "bob",
        "contributor",
        "manager",
        "user",
    ]
    assert names(listed[1]) == []
    assert names(listed[4]) == ["view_documents", "view_communities"]


async def test_roles_are_listed_with_how_many_have_them(database: Database) -> None:
    await alter(database, lambda tx: users.create_role(tx, BY, "a-new-one"))
    counts = {row["role"]: row["users"] for row in await users.list_roles(database)}
    assert counts == {
        "a-new-one": 0,
        "add_communities": 1,
        "add_documents": 1,
        "manage_communities": 2,
        "manage_documents": 2,
        "manage_users": 1,
        "view_communities": 1,
        "view_documents": 1,
    }


# --- Writing.


async def test_a_user_is_created_with_roles_and_none_of_them_twice(database: Database) -> None:
    roles = ("manage_users", "add_documents", "manage_users")
    await alter(database, lambda tx: users.create(tx, BY, "Bob", roles))
    bob = await users.get_by_username(database, "bob")
    assert (names(bob), bob["version"], bob["disabled"]) == (
        ["manage_users", "add_documents"],
        1,
        False,
    )


@pytest.mark.parametrize(
    ("name", "roles", "error"),
    [
        ("bob", ("manage_users", "no-such-role"), RoleNotFound),
        ("ADMIN", ("manage_users",), UsernameTaken),
        ("b b", (), InvalidName),
    ],
    ids=["unknown role", "name taken", "no name"],
)
async def test_a_user_who_cannot_be_created_leaves_nothing(
    database: Database, name: str, roles: tuple[str, ...], error: type[Exception]
) -> None:
    before = await everybody(database)
    with pytest.raises(error):
        await alter(database, lambda tx: users.create(tx, BY, name, roles))
    assert await everybody(database) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda tx: users.grant(tx, BY, "User", "manage_users"),
        lambda tx: users.revoke(tx, BY, "User", "view_documents"),
        lambda tx: users.set_disabled(tx, BY, "User", disabled=True),
    ],
    ids=["grant", "revoke", "disable"],
)
async def test_a_change_counts_the_version_up_once_and_only_when_it_is_one(
    database: Database, change: Callable[[Transaction], Awaitable[bool]]
) -> None:
    before = await versions(database)
    assert await alter(database, change) is True
    assert await versions(database) == {**before, "user": 2}
    assert await alter(database, change) is False
    assert await versions(database) == {**before, "user": 2}


async def test_disabled_and_enabled_again_is_two_changes(database: Database) -> None:
    for disabled in (True, False):
        async with database.transaction() as tx:
            await users.set_disabled(tx, BY, "user", disabled=disabled)
        assert (await users.get_by_username(database, "user"))["disabled"] is disabled
    assert (await versions(database))["user"] == 3


async def test_a_change_is_dated(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.audit.now", lambda: "2999-12-31T23:59:59Z")
    await alter(database, lambda tx: users.grant(tx, BY, "user", "manage_users"))
    await alter(database, lambda tx: users.set_disabled(tx, BY, "manager", disabled=True))
    await alter(database, lambda tx: users.delete_role(tx, BY, "add_documents"))
    dates = {user["username"]: user["updated_at"][:4] for user in await everybody(database)}
    assert {name for name, year in dates.items() if year == "2999"} == {
        "contributor",
        "manager",
        "user",
    }


async def test_a_role_that_is_deleted_is_taken_from_its_holders_and_counts_them_up(
    database: Database,
) -> None:
    await alter(database, lambda tx: users.delete_role(tx, BY, "manage_documents"))
    assert await versions(database) == {"admin": 2, "contributor": 1, "manager": 2, "user": 1}
    assert names(await users.get_by_username(database, "manager")) == ["manage_communities"]
    assert "manage_documents" not in {row["role"] for row in await users.list_roles(database)}


async def test_a_role_that_many_have_is_deleted_by_as_many_statements(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.transaction() as tx:
        await users.create_role(tx, BY, "readers")
        for number in range(30):
            await users.create(tx, BY, f"reader{number}", ["readers"])
    statements = await watched(database, monkeypatch)
    await alter(database, lambda tx: users.delete_role(tx, BY, "readers"))
    assert len([each for each in statements if "BEGIN" not in each]) <= 10, statements
    rows = await feed_rows(database)
    assert [row["kind"] for row in rows] == ["changed"] * 30
    assert {row["version"] for row in rows} == {2}
    assert len({row["user_id"] for row in rows}) == 30


async def test_a_name_that_comes_back_is_a_new_person(database: Database) -> None:
    for _ in range(2):
        await alter(database, lambda tx: delete(tx, "User"))
        await alter(database, lambda tx: users.create(tx, BY, "user"))
    user = await users.get_by_username(database, "user")
    assert (user["id"], user["version"], user["roles"]) == (6, 1, [])


async def test_a_role_that_comes_back_belongs_to_nobody(database: Database) -> None:
    last = max(row["id"] for row in await users.list_roles(database))
    for _ in range(2):
        await alter(database, lambda tx: users.delete_role(tx, BY, "view_communities"))
        await alter(database, lambda tx: users.create_role(tx, BY, "view_communities"))
    role = next(
        row for row in await users.list_roles(database) if row["role"] == "view_communities"
    )
    assert (role["id"], role["users"]) == (last + 2, 0)


async def test_a_role_that_is_there_is_not_made_again(database: Database) -> None:
    with pytest.raises(RoleTaken):
        await alter(database, lambda tx: users.create_role(tx, BY, "manage_users"))


@pytest.mark.parametrize(
    "change",
    [
        lambda tx: delete(tx, "nobody"),
        lambda tx: users.set_disabled(tx, BY, "nobody", disabled=True),
        lambda tx: users.grant(tx, BY, "nobody", "manage_users"),
        lambda tx: users.revoke(tx, BY, "nobody", "manage_users"),
    ],
    ids=["delete", "disable", "grant", "revoke"],
)
async def test_nothing_is_done_to_nobody(
    database: Database, change: Callable[[Transaction], Awaitable[object]]
) -> None:
    with pytest.raises(UserNotFound):
        await alter(database, change)


@pytest.mark.parametrize("role", ["no-such-role", "Manage_Users", "a\x00b", "\udcff"], ids=ascii)
@pytest.mark.parametrize(
    "change",
    [
        lambda tx, role: users.create(tx, BY, "bob", (role,)),
        lambda tx, role: users.grant(tx, BY, "user", role),
        lambda tx, role: users.revoke(tx, BY, "user", role),
        lambda tx, role: users.delete_role(tx, BY, role),
    ],
    ids=["create", "grant", "revoke", "delete"],
)
async def test_a_role_that_is_not_there_is_a_fault(
    database: Database, role: str, change: Callable[[Transaction, str], Awaitable[object]]
) -> None:
    with pytest.raises(RoleNotFound):
        await alter(database, lambda tx: change(tx, role))
