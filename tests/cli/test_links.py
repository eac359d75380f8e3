"""`user link USERNAME --purpose …` and `invite create|list|revoke`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import command

_LINK = re.compile(r"http://localhost:8080/auth/links/[0-9a-f]{64}\n")


def run(folder: Path, *words: str, code: int = 0, **settings: str) -> str:
    """Run a command with passwords switched on; return what it prints, or the error."""
    ended = command(folder, *words, **{"PASSWORD_AUTH": "true", **settings})
    assert ended.returncode == code, ended.stderr
    return ended.stdout if code == 0 else ended.stderr


def as_json(folder: Path, *words: str) -> Any:
    return json.loads(run(folder, *words, "--json"))


@pytest.mark.parametrize("purpose", ["invite", "reset"])
def test_a_link_for_a_user_is_printed_alone(folder: Path, purpose: str) -> None:
    assert _LINK.fullmatch(run(folder, "user", "link", "User", "--purpose", purpose))
    told = as_json(folder, "user", "link", "user", "--purpose", purpose)
    assert (told["action"], told["changed"], told["username"], told["purpose"]) == (
        "link_create",
        True,
        "user",
        purpose,
    )
    assert _LINK.fullmatch(told["url"] + "\n")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["expires_at"])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("user",), 2, "Use either PROVIDER SUBJECT or --purpose."),
        (("user", "cas"), 2, "Use either PROVIDER SUBJECT or --purpose."),
        (("user", "cas", "ada", "--purpose", "reset"), 2, "Use either PROVIDER SUBJECT"),
        (("user", "--purpose", "claim"), 2, "'claim' is not one of 'invite', 'reset'"),
        (("nobody", "--purpose", "reset"), 1, "The user nobody does not exist."),
        (("a b", "--purpose", "reset"), 1, "A user name starts with a letter or a digit"),
    ],
)
def test_other_command_lines_say_what_is_wrong(
    folder: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    assert message in run(folder, "user", "link", *words, code=code)


def test_a_disabled_user_gets_no_link(folder: Path) -> None:
    run(folder, "user", "disable", "user")
    error = run(folder, "user", "link", "user", "--purpose", "invite", code=1)
    assert error == "A disabled user cannot use a link. Enable the user first.\n"


def test_without_passwords_there_are_no_links(folder: Path) -> None:
    for words in (("user", "link", "user", "--purpose", "invite"), ("invite", "create")):
        error = run(folder, *words, code=1, PASSWORD_AUTH="false")
        assert "Set PASSWORD_AUTH=true or PASSKEY_AUTH=true." in error


def test_invitations_are_made_listed_and_revoked(folder: Path) -> None:
    assert run(folder, "invite", "list") == "There are no open invitations.\n"
    assert _LINK.fullmatch(run(folder, "invite", "create"))
    words = ("--role", "view_documents", "--role", "add_documents", "--uses", "9")
    made = as_json(folder, "invite", "create", *words, "--expires-in", "7d")
    assert (made["action"], made["changed"], made["uses"], made["used"]) == (
        "invitation_create",
        True,
        9,
        0,
    )
    assert sorted(made["roles"]) == ["add_documents", "view_documents"]
    assert _LINK.fullmatch(made["url"] + "\n")
    listed = as_json(folder, "invite", "list")
    assert [each["uses"] for each in listed] == [9, 1]
    assert all("url" not in each and each["created_by"] is None for each in listed)
    assert "view_documents" in run(folder, "invite", "list")
    told = as_json(folder, "invite", "revoke", str(made["id"]))
    assert (told["action"], told["id"]) == ("invitation_revoke", made["id"])
    assert "No open invitation" in run(folder, "invite", "revoke", str(made["id"]), code=1)
    assert [each["uses"] for each in as_json(folder, "invite", "list")] == [1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--role", "no_such_role"), "role 'no_such_role': The role does not exist."),
        (("--uses", "0"), "uses: must be a number from 1 to 1,000"),
        (("--uses", "many"), "uses: must be a number from 1 to 1,000"),
        (("--expires-in", "soon"), "expires_in: must be a duration such as 90s"),
        (("--expires-in", "366d"), "expires_in: must be a duration such as 90s"),
    ],
)
def test_other_invitations_are_refused(folder: Path, words: tuple[str, ...], message: str) -> None:
    assert message in run(folder, "invite", "create", *words, code=1)


def test_each_change_is_in_the_audit(folder: Path) -> None:
    run(folder, "user", "link", "user", "--purpose", "invite")
    made = as_json(folder, "invite", "create")
    run(folder, "invite", "revoke", str(made["id"]))
    entries = as_json(folder, "audit", "list", "--limit", "3")
    assert [(each["action"], each["target"]["name"]) for each in reversed(entries)] == [
        ("link_create", "user"),
        ("invitation_create", f"invitation {made['id']}"),
        ("invitation_revoke", f"invitation {made['id']}"),
    ]
