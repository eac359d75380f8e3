"""The commands, run as a person runs them: what they do, print, ask and refuse."""

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from service import __version__, config, db
from service.cli import cli
from service.config import DatabaseUrl
from service.db.sqlite import database
from tests.support.commands import Run, command, done, message, refused, verbs_of
from tests.support.environment import SECRET, STRONG, clean_environ
from tests.support.stores import ON_SQLITE

MIGRATE = "Run: python -m service migrate up\n"


def verbs(group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    """Yield every command line up to its last verb."""
    for name, verb in verbs_of(group).items():
        yield (*above, name)
        if isinstance(verb, click.Group):
            yield from verbs(verb, *above, name)


# --- Help and usage.


NO_JSON = {("serve",), ("prepare",), ("idp",)}
"""Two never end, the third is what `make run` does first."""


@pytest.mark.parametrize("verb", sorted(verbs(cli)), ids=" ".join)
def test_every_verb_can_speak_json(verb: tuple[str, ...]) -> None:
    found: click.Command = cli
    for word in verb:
        assert isinstance(found, click.Group)
        found = verbs_of(found)[word]
    options = {option for parameter in found.params for option in parameter.opts}
    assert ("--json" in options) == (not isinstance(found, click.Group) and verb not in NO_JSON)


@pytest.mark.parametrize("verb", [(), *verbs(cli)], ids=" ".join)
def test_every_verb_has_help(run: Run, verb: tuple[str, ...]) -> None:
    code, printed, said = run(*verb, "--help")
    assert (code, said) == (0, "")
    usage, _, sentence, *_ = printed.splitlines()
    assert usage.startswith(" ".join(["Usage: python -m service", *verb]))
    assert sentence.strip()[0].isupper()
    assert run(*verb, "-h") == (0, printed, "")


def test_the_version_is_told(empty: Path) -> None:
    assert done(empty, "--version") == f"Latchkey, version {__version__}\n"


WRONG = {
    (): (2, "Usage: python -m service [OPTIONS] COMMAND"),
    ("fly",): (2, "No such command 'fly'"),
    ("user", "show"): (2, "Missing argument 'USERNAME'"),
    ("migrate", "down", "--steps", "0"): (2, "0 is not in the range x>=1"),
    ("token", "issue", "admin", "--expires-in", "7 days"): (2, "must be a duration such as 90s"),
    ("token", "issue", "admin", "--expires-in", "7h"): (1, "--expires-in must be at most 21600 s"),
    ("token", "issue", "nobody"): (
        1,
        "The user nobody does not exist. `user list` lists all users.",
    ),
    ("token", "inspect", "a.b"): (1, "Not a JWT. A JWT has three base64url parts"),
    ("user", "show", "b b"): (1, "A user name starts with a letter or a digit"),
    ("user", "create", "ADMIN"): (1, "The user name admin is already taken."),
    ("user", "create", "bob", "--role", "x"): (1, "role 'x': The role does not exist."),
    ("user", "create"): (2, "Use either USERNAME or --file."),
    ("user", "update", "user"): (2, "Nothing to change. Use --name"),
    ("user", "list", "--sort", "email"): (1, "sort: must be one of id, -id, username"),
    ("audit", "list", "--user", "nobody"): (
        1,
        "The user nobody does not exist and is not in the audit log.",
    ),
    ("user", "delete", "nobody"): (1, "The user nobody does not exist."),
    ("role", "create", "No Role"): (1, "A role name starts with a letter or a digit"),
    ("role", "grant", "admin", "\udcff"): (1, "The role '\\udcff' does not exist."),
    ("role", "delete", "x", "--yes"): (1, "The role 'x' does not exist."),
    ("seed", "no.json"): (1, "The seed file no.json cannot be read: No such file or directory."),
    ("seed", "."): (2, "File '.' is a directory"),
}
"""Command lines that are wrong, each with its exit code and what it says."""


@pytest.mark.parametrize("words", WRONG, ids=lambda words: " ".join(words) or "nothing")
def test_what_is_wrong_is_said_on_standard_error(run: Run, words: tuple[str, ...]) -> None:
    code, printed, said = run(*words)
    assert (code, printed) == (WRONG[words][0], "")
    assert WRONG[words][1] in said


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('exec "$@" <&-', ("user", "delete", "admin")),
        ('exec "$@" <&-', ("token", "inspect")),
        ("printf '\\377' | PYTHONIOENCODING=utf-8:strict \"$@\"", ("token", "inspect")),
        ('exec "$@" >/dev/full', ("config", "check")),
    ],
    ids=["no input to confirm", "no input to read", "input is not text", "disk full"],
)
def test_whatever_is_wrong_with_the_streams_there_is_no_traceback(
    folder: Path, script: str, words: tuple[str, ...]
) -> None:
    ended = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "service", *words],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert message(ended)
    assert ended.returncode == 1


# --- The database.


def test_the_database_is_made_shown_and_taken_back(unmade: tuple[Path, str]) -> None:
    empty, name = unmade
    missing = "The database data/latchkey.db does not exist. " + MIGRATE
    if name.startswith("postgresql:"):
        missing = f"The database {name} is empty. " + MIGRATE
    assert refused(empty, "user", "list") == missing
    pending = command(empty, "migrate", "status", "--json")
    assert (pending.returncode, pending.stderr) == (1, "")
    assert json.loads(pending.stdout)[0] == {
        "migration": "0001.users-and-roles",
        "applied_at": None,
    }

    assert done(empty, "migrate", "up").startswith("Applied 0001.users-and-roles, ")
    assert done(empty, "migrate", "up") == f"{name} is up to date.\n"
    assert re.search(r"0001\.users-and-roles +20", done(empty, "migrate", "status"))

    asked = command(empty, "migrate", "down")
    assert asked.returncode == 1
    assert asked.stdout.startswith(
        f"Roll back the newest 1 migration(s) of {name} and delete their data?"
    )
    assert message(asked).strip() == "Cancelled. Nothing was changed."

    everything = done(empty, "migrate", "down", "--yes", "--steps", "99")
    assert ", 0001.users-and-roles. Ended sessions may be valid again" in everything
    assert done(empty, "migrate", "down", "--yes") == "There is nothing to roll back.\n"


def test_seeding_twice_does_nothing_and_production_needs_a_file(folder: Path) -> None:
    assert done(folder, "seed") == "Nothing to do: all users exist.\n"
    assert refused(folder, "seed", ENVIRONMENT="production").startswith(
        "ENVIRONMENT is production (or unset), so FILE is required."
    )
    (folder / "seed.json").write_text('{"users": [{"username": "ada", "roles": ["editor"]}]}')
    assert done(folder, "seed", "seed.json", ENVIRONMENT="production") == "Created ada.\n"


def test_prepare_makes_the_database_and_in_development_the_demo_users(
    unmade: tuple[Path, str],
) -> None:
    empty, name = unmade
    made = f"Migrated the database {name}.\n"
    assert done(empty, "prepare") == made
    created = "Created the demo users admin, contributor, manager, user.\n"
    assert done(empty, "prepare", ENVIRONMENT="development") == created
    assert done(empty, "prepare", ENVIRONMENT="development") == ""


# --- Users and roles.


def test_a_user_is_created_disabled_enabled_and_deleted(folder: Path) -> None:
    created = json.loads(done(folder, "user", "create", "Ada", "--role", "add_documents", "--json"))
    assert (created["username"], created["version"], created["disabled"]) == ("ada", 1, False)
    assert [role["role"] for role in created["roles"]] == ["add_documents"]

    assert done(folder, "user", "disable", "Ada") == "Disabled.\n"
    assert (
        refused(folder, "token", "issue", "ada")
        == "The user ada is disabled. Run: user enable ada\n"
    )
    assert done(folder, "user", "enable", "ada") == "Enabled.\n"

    asked = command(folder, "user", "delete", "ada")
    assert (asked.returncode, asked.stdout) == (1, "Delete the user ada permanently? [y/N]: ")
    assert message(asked).strip() == "Cancelled. Nothing was changed."
    assert json.loads(done(folder, "user", "show", "ada", "--json"))["version"] == 3
    assert done(folder, "user", "delete", "ada", stdin="y\n").endswith(" Deleted.\n")
    listed = json.loads(done(folder, "user", "list", "--json"))
    assert [row["username"] for row in listed] == ["admin", "contributor", "manager", "user"]


def test_what_is_so_already_is_said_and_no_error(run: Run) -> None:
    assert run("user", "enable", "admin") == (0, "The user is already enabled.\n", "")
    granted = run("role", "grant", "admin", "manage_users")
    assert granted == (0, "The user already has this role.\n", "")
    revoked = run("role", "revoke", "user", "manage_users")
    assert revoked == (0, "The user does not have this role.\n", "")


def test_without_questions_and_without_json_it_says_what_it_did(run: Run) -> None:
    assert run("user", "create", "Ada") == (0, "Created ada.\n", "")
    assert run("user", "delete", "Ada", "--yes") == (0, "Deleted.\n", "")


@ON_SQLITE
def test_another_process_that_holds_the_lock_is_no_traceback(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT_SECONDS", 0.01)
    with closing(sqlite3.connect(folder / "data" / "latchkey.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert run("user", "disable", "admin") == (
            1,
            "",
            "The database data/latchkey.db is not responding: database is locked.\n",
        )


def test_lists_are_tables_for_people(run: Run) -> None:
    _, people, _ = run("user", "list")
    names, _, admin, *_ = people.splitlines()
    assert " ".join(names.split()) == (
        "id username name email roles disabled version created at updated at"
    )
    assert "manage_users, manage_documents, manage_communities" in admin
    _, roles, _ = run("role", "list")
    assert roles.splitlines()[2].split() == ["5", "add_communities", "1"]
    new = {"DATABASE_URL": "sqlite:///new.db"}
    assert run("migrate", "up", **new)[0] == 0
    assert run("user", "list", **new) == (0, "There are no users.\n", "")
    assert run("role", "list", **new) == (0, "There are no roles.\n", "")


async def _fill(where: DatabaseUrl) -> None:
    async with db.connect(where) as opened, opened.transaction() as tx:
        for number in range(450):
            await tx.execute(
                "INSERT INTO users (username, created_at, updated_at) VALUES (?, '', '')",
                (f"many-{number:04}",),
            )


def test_however_many_users_there_are_all_are_listed(where: DatabaseUrl, run: Run) -> None:
    asyncio.run(_fill(where))
    _, shown, _ = run("user", "list", "--json")
    names = [user["username"] for user in json.loads(shown)]
    assert len(names) == len(set(names)) == 454
    assert names == sorted(names)


def test_a_role_is_created_granted_revoked_and_deleted(folder: Path) -> None:
    assert done(folder, "role", "create", "editor") == "Created.\n"
    assert done(folder, "role", "grant", "User", "editor") == "Granted.\n"
    roles = json.loads(done(folder, "role", "list", "--json"))
    assert {row["users"] for row in roles if row["role"] == "editor"} == {1}
    assert done(folder, "role", "revoke", "user", "editor") == "Revoked.\n"

    asked = command(folder, "role", "delete", "editor", stdin="n\n")
    assert (asked.returncode, message(asked)) == (1, "Cancelled. Nothing was changed.\n")
    assert done(folder, "role", "delete", "editor", "--yes") == "Deleted.\n"


# --- The settings.


def test_the_settings_are_shown_without_the_secrets(empty: Path) -> None:
    text = done(empty, "config", "check", JWT_SECRET_KEY_PREVIOUS=STRONG)
    assert SECRET not in text
    assert STRONG not in text
    rows = json.loads(done(empty, "config", "check", "--json"))
    shown = {row["setting"]: row["value"] for row in rows}
    assert sorted(shown) == sorted(config.NAMES)
    assert (shown["PORT"], shown["BYPASS_NETWORKS"]) == (8080, "127.0.0.0/8, ::1/128")
    assert (shown["JWT_SECRET_KEY"], shown["JWT_SECRET_KEY_PREVIOUS"]) == ("(set)", None)


def test_the_proxy_is_shown_without_its_password(empty: Path) -> None:
    proxy = {"OUTGOING_PROXY": "http://ada:hidden@proxy.example.org:3128"}
    text = done(empty, "config", "check", **proxy)
    assert "http://(set)@proxy.example.org:3128" in text
    assert "hidden" not in text
    wrong = refused(empty, "config", "check", OUTGOING_PROXY="socks5://ada:hidden@proxy")
    assert "hidden" not in wrong


def test_settings_that_need_mending_are_all_named(empty: Path) -> None:
    assert refused(empty, "config", "check", PORT="0", JWT_SECRET="x") == (
        "Invalid settings:\n"
        "  JWT_SECRET is not a setting; did you mean JWT_SECRET_KEY?\n"
        "  PORT must be a port number from 1 to 65535\n"
    )
