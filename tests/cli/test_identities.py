"""`user link|unlink`, and what `user show` says of them."""

import json
from pathlib import Path

import pytest

from tests.support.commands import command


def done(folder: Path, *words: str) -> str:
    ended = command(folder, *words)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


def test_accounts_are_linked_shown_and_unlinked(folder: Path) -> None:
    assert done(folder, "user", "link", "user", "CAS", "Ada L.") == "Linked.\n"
    again = json.loads(done(folder, "user", "link", "user", "CAS", "Ada L.", "--json"))
    assert (again["action"], again["changed"], again["username"]) == (
        "identity_link",
        False,
        "user",
    )
    assert (again["provider"], again["subject"]) == ("cas", "Ada L.")
    done(folder, "user", "link", "user", "google", "1234/5=6")
    shown = json.loads(done(folder, "user", "show", "user", "--json"))
    assert shown["identities"] == [
        {"provider": "cas", "subject": "Ada L."},
        {"provider": "google", "subject": "1234/5=6"},
    ]
    assert "cas:Ada L., google:1234/5=6" in done(folder, "user", "show", "user")
    assert done(folder, "user", "unlink", "user", "cas", "Ada L.") == "Unlinked.\n"
    assert "cas" not in done(folder, "user", "show", "user")
    gone = json.loads(done(folder, "user", "unlink", "user", "Google", "1234/5=6", "--json"))
    assert (gone["action"], gone["changed"], gone["provider"]) == (
        "identity_unlink",
        True,
        "google",
    )


def test_unlinking_says_that_a_trusted_name_still_signs_in(folder: Path) -> None:
    for subject in ("User", "other"):
        done(folder, "user", "link", "user", "cas", subject)
    assert done(folder, "user", "unlink", "user", "cas", "other") == "Unlinked.\n"
    said = done(folder, "user", "unlink", "user", "cas", "User")
    assert said.startswith("Unlinked.\n")
    assert "CAS_TRUST_USERNAMES" in said
    assert "`user disable user`" in said
    assert "user disable" in done(folder, "user", "unlink", "--help")
    done(folder, "user", "link", "user", "oidc", "user")
    assert done(folder, "user", "unlink", "user", "oidc", "user") == "Unlinked.\n"


WRONG = {
    ("link", "nobody", "cas", "a"): "The user nobody does not exist.",
    ("link", "user", "the campus", "a"): "A provider name starts with a letter",
    ("link", "user", "cas", ""): "A subject has 1 to 255 characters, and",
    ("link", "user", "cas", "a\nb"): "A subject has 1 to 255 characters, and",
    ("link", "admin", "cas", "taken"): "is linked to another user",
    ("unlink", "admin", "cas", "taken"): "is not linked to this user",
    ("unlink", "user", "cas", "\udcff"): "A subject has 1 to 255 characters, and",
}


@pytest.mark.parametrize("words", WRONG, ids=str)
def test_what_is_wrong_is_said_on_standard_error(
    folder: Path, words: tuple[str, str, str, str]
) -> None:
    done(folder, "user", "link", "user", "cas", "taken")
    ended = command(folder, "user", *words)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert WRONG[words] in ended.stderr
    assert "Traceback" not in ended.stderr
