"""Users, roles and the audit on the command line: all that the API can do, for programs as well."""

import json
from typing import Any

import pytest

from service.config import DatabaseUrl
from tests.support.commands import Run
from tests.support.stores import run_sql


def good(run: Run, *words: str) -> Any:
    """Run a command with --json that succeeds; return what it says."""
    code, printed, said = run(*words, "--json")
    assert (code, said) == (0, ""), said
    return json.loads(printed)


def bad(run: Run, *words: str, code: int = 1) -> str:
    """Run a command that fails, with --json and without: what it says is the same. Return it."""
    plain = run(*words)
    assert run(*words, "--json") == plain
    assert (plain[0], plain[1]) == (code, "")
    return plain[2]


def names(run: Run, *words: str) -> list[str]:
    """Return the names that `user list` shows."""
    return [user["username"] for user in good(run, "user", "list", *words)]


def test_whatever_changes_something_says_what_and_whether_it_did(run: Run) -> None:
    def told(*words: str) -> tuple[str, bool]:
        said = good(run, *words)
        return said["action"], said["changed"]

    ada = good(run, "user", "create", "Ada", "--name", "Ada L", "--email", "ada@example.org",
               "--role", "add_documents", "--disabled")  # fmt: skip
    assert (ada["action"], ada["changed"], ada["username"]) == ("user_create", True, "ada")
    assert (ada["name"], ada["email"], ada["disabled"]) == ("Ada L", "ada@example.org", True)
    assert [role["role"] for role in ada["roles"]] == ["add_documents"]
    assert told("user", "enable", "ada") == ("user_update", True)
    assert told("user", "enable", "ada") == ("user_update", False)
    assert told("user", "disable", "ada") == ("user_update", True)
    assert told("user", "rename", "ada", "Countess") == ("user_update", True)
    assert told("user", "rename", "countess", "COUNTESS") == ("user_update", False)
    assert told("role", "create", "editor") == ("role_create", True)
    assert told("role", "grant", "Countess", "editor") == ("role_grant", True)
    assert told("role", "grant", "countess", "editor") == ("role_grant", False)
    assert told("role", "revoke", "countess", "editor") == ("role_revoke", True)
    assert told("role", "revoke", "countess", "editor") == ("role_revoke", False)
    assert told("role", "delete", "editor", "--yes") == ("role_delete", True)
    assert told("user", "sign-out", "countess") == ("user_sign_out", True)
    gone = good(run, "user", "delete", "countess", "--yes")
    assert (gone["action"], gone["id"]) == ("user_delete", ada["id"])
    assert told("seed") == ("seed", False)
    assert told("migrate", "up") == ("migrate_up", False)
    assert good(run, "token", "issue", "admin", "--expires-in", "15m")["expires_in"] == 900


def test_a_user_is_updated_in_what_is_named_and_nothing_else(run: Run) -> None:
    good(run, "user", "create", "ada", "--name", "Ada", "--email", "a@example.org", "--role",
         "add_documents")  # fmt: skip
    after = good(run, "user", "update", "ada", "--email", "b@example.org", "--role",
                 "manage_documents", "--role", "add_communities")  # fmt: skip
    assert (after["changed"], after["name"], after["email"]) == (True, "Ada", "b@example.org")
    assert {role["role"] for role in after["roles"]} == {"manage_documents", "add_communities"}
    again = good(run, "user", "update", "ada", "--email", "b@example.org")
    assert (again["changed"], again["version"]) == (False, after["version"])
    bare = good(run, "user", "update", "ada", "--name", "", "--email", "", "--no-roles",
                "--disabled", "--username", "Lovelace")  # fmt: skip
    assert (bare["username"], bare["name"], bare["email"]) == ("lovelace", None, None)
    assert (bare["roles"], bare["disabled"]) == ([], True)
    assert run("user", "update", "lovelace", "--enabled") == (0, "Updated.\n", "")
    already = "The user already has these values.\n"
    assert run("user", "update", "lovelace", "--enabled") == (0, already, "")


def test_every_fault_is_named_at_once(run: Run) -> None:
    said = bad(run, "user", "create", "a b", "--email", "x", "--name", "a\nb", "--role", "\x1b[2J",
               "--role", "add_documents", "--role", "nope")  # fmt: skip
    lines = said.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "username",
        "name",
        "email",
        "role '\\x1b[2J'",
        "role 'nope'",
    ]
    assert bad(run, "user", "update", "user", "--email", "x", "--role", "nope").count("\n") == 2
    assert bad(run, "user", "rename", "user", "a b").startswith("username: A user name starts")
    assert bad(run, "role", "create", "No Role").startswith("role: A role name starts")
    listed = bad(run, "user", "list", "--q", "", "--role", "x" * 65, "--sort", "nothing")
    assert [line.partition(":")[0] for line in listed.splitlines()] == ["q", "role", "sort"]
    assert bad(run, "user", "disable", "admin").startswith("This is the last active user with")
    assert bad(run, "user", "update", "admin", "--no-roles").startswith(
        "This is the last active user"
    )
    assert len(names(run)) == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("user", "update", "user", "--role", "x", "--no-roles"),
            "Use --role or --no-roles, not both.",
        ),
        (("user", "list", "--limit", "0"), "0 is not in the range x>=1"),
        (("user", "create", "ada", "--file", "setup.cfg"), "does not exist"),
        (("user", "create", "ada", "--dry-run"), "--format and --dry-run need --file."),
        (("audit", "list", "--action", "user_fly"), "'user_fly' is not one of"),
        (("audit", "list", "--user", "a", "--user-id", "1"), "Use --user or --user-id, not both."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_command_line_that_cannot_be_read_exits_with_two(
    run: Run, words: tuple[str, ...], says: str
) -> None:
    assert says in bad(run, *words, code=2)


def test_a_list_is_filtered_sorted_and_cut(run: Run) -> None:
    good(run, "user", "create", "ada", "--name", "Élodie", "--role", "add_documents", "--disabled")
    assert names(run, "--q", "éLOD") == ["ada"]
    assert names(run, "--q", "a") == ["ada", "admin"]
    assert names(run, "--role", "add_documents") == ["ada", "contributor"]
    assert names(run, "--role", "add_documents", "--enabled") == ["contributor"]
    assert names(run, "--disabled") == ["ada"]
    assert names(run, "--sort", "-username", "--limit", "2") == ["user", "manager"]
    assert names(run, "--sort=-id", "--limit", "1") == ["ada"]
    assert names(run, "--role", "no-such-role") == []
    assert run("user", "list", "--q", "zzz") == (0, "No users found.\n", "")


def test_a_long_list_comes_page_by_page(
    where: DatabaseUrl, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [f"many-{number:03}{'-long' * (number % 7)}" for number in range(100)]
    values = ", ".join(["(?, '', '')"] * 100)
    run_sql(where, f"INSERT INTO users (username, created_at, updated_at) VALUES {values}", *made)  # noqa: S608
    once = names(run)
    table = run("user", "list", "--q", "ad")[1]
    monkeypatch.setattr("service.cli.users._PAGE", 3)
    assert names(run) == once
    assert len(once) == 104
    for limit in (1, 3, 4, 103, 104, 999):
        assert names(run, "--limit", str(limit)) == once[:limit]
    assert run("user", "list", "--q", "ad")[1] == table
    lines = run("user", "list")[1].splitlines()
    assert [line.split()[1] for line in lines[2:]] == once


def test_the_audit_names_whom_it_was_done_to(run: Run) -> None:
    first = good(run, "user", "create", "ada")
    good(run, "user", "rename", "ada", "countess")
    good(run, "role", "grant", "countess", "add_documents")

    def actions(*words: str) -> list[str]:
        return [entry["action"] for entry in good(run, "audit", "list", *words)]

    history = ["user_update", "user_update", "user_create"]
    assert actions("--user", "Countess") == history
    good(run, "user", "delete", "countess", "--yes")
    gone = ["user_delete", *history]
    assert actions("--user", "ada") == actions("--user", "countess") == gone
    assert actions("--user-id", str(first["id"])) == gone
    second = good(run, "user", "create", "ada")
    assert actions("--user", "ada") == ["user_create"]
    assert actions("--user-id", str(second["id"])) == ["user_create"]
    assert actions("--action", "user_delete") == ["user_delete"]
    assert actions("--limit", "2") == ["user_create", "user_delete"]
    entry = good(run, "audit", "list", "--limit", "1")[0]
    assert entry["actor"]["name"].startswith("cli:")
    assert entry["target"] == {"id": second["id"], "name": "ada"}
    lines = run("audit", "list", "--user-id", str(first["id"]))[1].splitlines()
    assert lines[0].split() == ["at", "actor", "action", "target", "detail", "client"]
    assert "granted add_documents" in lines[3]
    empty = run("audit", "list", "--user-id", "999")
    assert empty == (0, "No entries found.\n", "")


def test_the_audit_comes_page_by_page(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [entry["id"] for entry in good(run, "audit", "list", "--limit", "9999")]
    assert len(ids) > 7
    assert ids == sorted(ids, reverse=True)
    monkeypatch.setattr("service.cli.audit._PAGE", 2)
    for limit in (1, 2, 3, 7, 9999):
        found = [entry["id"] for entry in good(run, "audit", "list", "--limit", str(limit))]
        assert found == ids[:limit]
