"""Identities: who may link them, what they cannot take over, and what ends with them."""

import asyncio
import contextlib

import pytest

from service import audit, errors, users
from service.audit import Actor
from service.config import RoleRule
from service.db import Database
from service.providers import identities, sessions, used_logout_tokens
from service.providers.sessions import ProviderSession
from service.revocation import events
from service.users import User
from tests.support import people
from tests.support.people import BY


async def link(database: Database, username: str, subject: str, by: Actor = BY) -> bool:
    async with database.transaction() as tx:
        return await identities.link(
            tx, by, await users.get_by_username(tx, username), "cas", subject
        )


async def unlink(database: Database, username: str, subject: str, by: Actor = BY) -> None:
    async with database.transaction() as tx:
        await identities.unlink(tx, by, await users.get_by_username(tx, username), "cas", subject)


async def provision(database: Database, subject: str, username: str) -> User:
    async with database.transaction() as tx:
        return await identities.provision(tx, BY, "cas", subject, username)


async def open_session(database: Database, sid: str, user: User, **facts: str) -> None:
    async with database.transaction() as tx:
        session = ProviderSession("cas", **facts)
        claims = {"sid": sid, "id": user["id"], "exp": 2_000_000_000}
        await sessions.record(tx, session, claims)


async def actions(database: Database) -> list[tuple[str, str, dict[str, str]]]:
    entries, _ = await audit.page(database, audit.Query(limit=50))
    return [(entry["action"], entry["target"]["name"], entry["detail"]) for entry in entries]


async def test_a_link_signs_one_user_in_and_is_recorded(database: Database) -> None:
    assert await link(database, "user", "Ada")
    assert not await link(database, "user", "Ada")
    found = await identities.by_identity(database, "cas", "Ada")
    assert found is not None
    assert found["username"] == "user"
    for provider, subject in (("cas", "ada"), ("oidc", "Ada"), ("cas", "Ada ")):
        assert await identities.by_identity(database, provider, subject) is None
    (row,) = await identities.of_user(database, found["id"])
    assert (row["provider"], row["subject"]) == ("cas", "Ada")
    assert (await actions(database))[0] == (
        "identity_link",
        "user",
        {"provider": "cas", "subject": "Ada"},
    )
    assert len([1 for action, *_ in await actions(database) if action == "identity_link"]) == 1


async def test_an_identity_of_somebody_else_is_not_taken_over(database: Database) -> None:
    await link(database, "user", "ada")
    with pytest.raises(errors.IdentityTaken):
        await link(database, "manager", "ada")
    found = await identities.by_identity(database, "cas", "ada")
    assert found is not None
    assert found["username"] == "user"


async def test_only_managers_link_and_unlink(database: Database) -> None:
    await link(database, "user", "ada")
    user = await users.get_by_username(database, "user")
    nobody = Actor("user", user["id"])
    with pytest.raises(errors.RoleMissing):
        await link(database, "user", "other", nobody)
    with pytest.raises(errors.RoleMissing):
        await unlink(database, "user", "ada", nobody)
    admin = await users.get_by_username(database, "admin")
    await unlink(database, "user", "ada", Actor("admin", admin["id"]))
    assert await identities.of_user(database, user["id"]) == []
    assert (await actions(database))[0][0] == "identity_unlink"


async def test_what_is_not_linked_with_the_user_is_not_unlinked(database: Database) -> None:
    await link(database, "user", "ada")
    for username, subject in (("user", "eve"), ("admin", "ada")):
        with pytest.raises(errors.IdentityNotFound):
            await unlink(database, username, subject)


@pytest.mark.parametrize(
    ("provider", "subject"),
    [
        ("", "a"),
        ("c as", "a"),
        ("1cas", "a"),
        ("c" * 33, "a"),
        ("cas\n", "a"),
        ("cas", ""),
        ("cas", "a" * 256),
        ("cas", "a\nb"),
        ("cas", "a\x00"),
        ("cas", "\u202eevil"),
        ("cas", "\ud800"),
    ],
)
async def test_impossible_names_are_refused(
    database: Database, provider: str, subject: str
) -> None:
    with pytest.raises(errors.InvalidName):
        async with database.transaction() as tx:
            await identities.link(
                tx, BY, await users.get_by_username(tx, "user"), provider, subject
            )


async def test_a_new_user_is_created_once_however_many_ask(database: Database) -> None:
    found = await asyncio.gather(*(provision(database, "ada", "Ada") for _ in range(5)))
    assert len({user["id"] for user in found}) == 1
    assert found[0]["username"] == "ada"
    assert found[0]["roles"] == []
    made = [action for action, name, _ in await actions(database) if name == "ada"]
    assert sorted(made) == ["identity_link", "user_create"]


async def test_a_name_is_no_claim(database: Database) -> None:
    with pytest.raises(errors.UsernameTaken):
        await provision(database, "admin", "admin")
    with pytest.raises(errors.InvalidName):
        await provision(database, "a b", "a b")
    assert await identities.by_identity(database, "cas", "admin") is None
    assert [name for action, name, _ in await actions(database) if action == "identity_link"] == []


async def test_deleting_a_user_deletes_what_is_linked(database: Database) -> None:
    await link(database, "user", "ada")
    await open_session(database, "s1", await users.get_by_username(database, "user"), subject="ada")
    with contextlib.suppress(ZeroDivisionError):
        async with database.transaction() as tx:
            await people.delete(tx, "user")
            assert await identities.by_identity(tx, "cas", "ada") is None
            raise ZeroDivisionError
    assert await identities.by_identity(database, "cas", "ada") is not None
    async with database.transaction() as tx:
        await people.delete(tx, "user")
    for table in ("identities", "provider_sessions"):
        assert await database.fetch_all(f"SELECT * FROM {table}") == []  # noqa: S608
    await link(database, "admin", "ada")


async def test_unlinking_ends_the_sessions_that_it_opened(database: Database) -> None:
    user = await users.get_by_username(database, "user")
    await link(database, "user", "ada")
    await open_session(database, "s1", user, subject="ada")
    await open_session(database, "s2", user, subject="other")
    await unlink(database, "user", "ada")
    assert [row["sid"] for row in await people.feed_rows(database)] == ["s1"]
    assert await sessions.for_session(database, "s2") is not None


async def test_a_provider_ends_what_it_opened_and_nothing_else(database: Database) -> None:
    user = await users.get_by_username(database, "user")
    await open_session(database, "s1", user, subject="ada", handle="h1")
    await open_session(database, "s2", user, subject="ada", handle="h2")
    await open_session(database, "s3", user, subject="eve", handle="h1")
    await open_session(database, "s4", user, subject="eve")

    async def end(provider: str, **given: str) -> list[str]:
        seq = (await events.read(database)).newest
        async with database.transaction() as tx:
            count = await sessions.end(tx, provider, **given)
        ended = [row["sid"] for row in await people.feed_rows(database, seq)]
        assert len(ended) == count
        return ended

    assert await end("cas") == []
    assert await end("oidc", handle="h1") == []
    assert await end("cas", handle="nothing") == []
    assert await end("cas", handle="h1", subject="ada") == ["s1"]
    assert await end("cas", handle="h1") == ["s3"]
    assert await end("cas", subject="eve") == ["s4"]
    assert await sessions.exists(database, "cas", "h2")
    assert not await sessions.exists(database, "cas", "h1")


async def test_a_session_without_a_handle_ends_with_its_subject(database: Database) -> None:
    user = await users.get_by_username(database, "user")
    await open_session(database, "s1", user, subject="ada", handle="h1")
    await open_session(database, "s2", user, subject="ada")
    await open_session(database, "s3", user, subject="eve")
    async with database.transaction() as tx:
        assert await sessions.end(tx, "cas", handle="h2") == 0
        assert await sessions.end(tx, "cas", handle="h2", subject="ada") == 1
    assert [row["sid"] for row in await people.feed_rows(database)] == ["s2"]


async def test_a_logout_token_is_new_once_until_it_is_pruned(database: Database) -> None:
    async def is_new(provider: str, jti: str) -> bool:
        async with database.transaction() as tx:
            return await used_logout_tokens.use_once(tx, provider, jti, 1000)

    said = [await is_new(*words) for words in (("a", "1"), ("a", "1"), ("b", "1"), ("a", "2"))]
    assert said == [True, False, True, True]
    assert not await used_logout_tokens.has_dead(database, 999)
    assert await used_logout_tokens.has_dead(database, 1000)
    async with database.transaction() as tx:
        assert await used_logout_tokens.prune(tx, 999) == 0
        assert await used_logout_tokens.prune(tx, 1000) == 3
    assert await is_new("a", "1")


async def test_where_sessions_came_from_is_pruned(database: Database) -> None:
    user = await users.get_by_username(database, "user")
    await open_session(database, "s1", user, subject="ada", hint="id-token")
    session = await sessions.for_session(database, "s1")
    assert session == ProviderSession("cas", "ada", hint="id-token")
    assert "id-token" not in repr(session)
    assert not await sessions.has_dead(database, 2_000_003_599)
    assert await sessions.has_dead(database, 2_000_003_600)
    async with database.transaction() as tx:
        assert await sessions.prune(tx, 2_000_003_599) == 0
        assert await sessions.prune(tx, 2_000_003_600) == 1


RULES = (
    RoleRule("manage_documents", "staff"),
    RoleRule("manage_documents", "boss"),
    RoleRule("view_documents", "student"),
    RoleRule("no_such_role", "staff"),
)


async def follow(database: Database, username: str, *values: str) -> list[str]:
    async with database.transaction() as tx:
        user = await users.get_by_username(tx, username)
        now, *_ = await identities.follow_roles(tx, BY, user, RULES, values)
    return sorted(role["role"] for role in now["roles"])


async def test_roles_that_rules_speak_of_follow_the_provider(database: Database) -> None:
    assert await follow(database, "user") == ["view_communities"]
    assert await follow(database, "user", "boss") == ["manage_documents", "view_communities"]
    version = (await users.get_by_username(database, "user"))["version"]
    assert await follow(database, "user", "staff") == ["manage_documents", "view_communities"]
    assert (await users.get_by_username(database, "user"))["version"] == version
    everything = ["manage_documents", "view_communities", "view_documents"]
    assert await follow(database, "user", "staff", "student", "x") == everything
    assert await follow(database, "user", "STAFF") == ["view_communities"]


async def test_the_last_who_can_manage_keeps_that_role_and_no_other(database: Database) -> None:
    rules = (
        RoleRule("manage_users", "boss"),
        RoleRule("manage_documents", "staff"),
        RoleRule("view_documents", "student"),
    )

    async def come(username: str) -> tuple[list[str], bool]:
        async with database.transaction() as tx:
            user = await users.get_by_username(tx, username)
            now, kept, _ = await identities.follow_roles(tx, BY, user, rules, ["student"])
        return [role["role"] for role in now["roles"] if "_users" in role["role"]
                or "documents" in role["role"]], kept  # fmt: skip

    async with database.transaction() as tx:
        for role in ("manage_users", "manage_documents"):
            await users.grant(tx, BY, "user", role)
    assert await come("user") == (["view_documents"], False)
    assert await come("admin") == (["manage_users", "view_documents"], True)
    assert await come("admin") == (["manage_users", "view_documents"], True)
