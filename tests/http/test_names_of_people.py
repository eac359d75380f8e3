"""Names and addresses of people, by every way in and out: API, form, file, command, headers."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import pytest

from tests.support import pages
from tests.support.admin import USERS as PAGE
from tests.support.admin import Admin, admin
from tests.support.client import ask, bearer, sign_in

__all__ = ["admin"]

USERS = "/api/v1/users"
HARMLESS = {
    "Persian": "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
    "Sinhala": "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
    "emoji": "Ada \U0001f469\U0001f3fd\u200d\U0001f4bb \U0001fae8",
    "Hebrew": "\u05d3\u05d5\u05d3\u200f!",
}
BLANKS = {"no-break": "\u00a0", "narrow": "\u202f", "ideographic": "\u3000", "em": "\u2003"}
HARMFUL = {"override": "a\u202eb", "isolate": "a\u2066b", "escape": "a\x1b[2Jb", "NEL": "a\x85b"}
ADDRESSES = ("ada@corp.local", "ada@example.test", "j\xf6rg@m\xfcnchen.example", "ada@localhost")

Way = Callable[[Admin, str, str, str], str]
"""Creates a user with a name and an address; returns the faults, or nothing."""


def by_api(admin: Admin, username: str, name: str, email: str) -> str:
    """Create a user by the API."""
    answer = admin.api(USERS, "POST", {"username": username, "name": name, "email": email})
    return "" if answer.status == 201 else json.dumps(answer.json["errors"])


def by_patch(admin: Admin, username: str, name: str, email: str) -> str:
    """Change a user by the API."""
    where = f"{USERS}/{admin.create(username)}"
    answer = admin.api(where, "PATCH", {"name": name, "email": email})
    return "" if answer.status == 200 else json.dumps(answer.json["errors"])


def by_form(admin: Admin, username: str, name: str, email: str) -> str:
    """Create a user by the form of the admin page."""
    answer = admin(f"{PAGE}/users/new", {"username": username, "name": name, "email": email})
    return "" if answer.status == 303 else " ".join(pages.read(answer.text).faults().values())


def by_command(admin: Admin, username: str, name: str, email: str) -> str:
    """Create a user by the command line."""
    words = ("user", "create", username, "--name", name, "--email", email)
    ended = admin.server.cli(*words)
    return ended.stderr if ended.returncode else ""


def by_csv(admin: Admin, username: str, name: str, email: str) -> str:
    """Create a user by a file of a spreadsheet."""
    text = f"username;name;email\r\n{username};{name};{email}\r\n"
    ended = admin.server.cli("user", "create", "--file", "-", "--format", "csv", stdin=text)
    return ended.stderr if ended.returncode else ""


def by_json_lines(admin: Admin, username: str, name: str, email: str) -> str:
    """Create a user by a file of JSON Lines."""
    text = json.dumps({"username": username, "name": name, "email": email})
    ended = admin.server.cli("user", "create", "--file", "-", "--format", "jsonl", stdin=text)
    return ended.stderr if ended.returncode else ""


WAYS = (by_api, by_patch, by_form, by_command, by_csv, by_json_lines)
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def found(admin: Admin, username: str) -> dict[str, Any]:
    """Return a user by name, and delete it."""
    listed = admin.api(f"{USERS}?q={username}").json
    (user,) = [each for each in listed if each["username"] == username]
    return dict(user)


def delete(admin: Admin, username: str) -> None:
    """Delete a user if there is one."""
    for each in admin.api(f"{USERS}?q={username}").json:
        assert admin.api(f"{USERS}/{each['id']}", "DELETE").status == 204


@ways
def test_harmless_names_are_taken_as_they_are(admin: Admin, way: Way) -> None:
    for name in HARMLESS.values():
        assert way(admin, "person", name, "") == ""
        assert found(admin, "person")["name"] == name
        delete(admin, "person")


@ways
def test_odd_blanks_become_plain_ones(admin: Admin, way: Way) -> None:
    for blank in BLANKS.values():
        assert way(admin, "person", f"{blank}Ada{blank}King{blank}", "") == ""
        assert found(admin, "person")["name"] == "Ada King"
        delete(admin, "person")


@ways
def test_harmful_names_are_refused_with_the_character(admin: Admin, way: Way) -> None:
    for name in HARMFUL.values():
        (character,) = [each for each in name if not (each.isalnum() or each == "[")]
        told = way(admin, "person", name, "")
        assert f"contains U+{ord(character):04X}, " in told
        assert character not in told
        delete(admin, "person")


@ways
def test_addresses_need_only_their_syntax(admin: Admin, way: Way) -> None:
    for email in ADDRESSES:
        assert way(admin, "person", "", email) == ""
        assert found(admin, "person")["email"] == email
        delete(admin, "person")
    assert "is not a valid e-mail address" in way(admin, "person", "", "ada@exam_ple.org")
    delete(admin, "person")


def test_a_search_finds_names_with_other_blanks(admin: Admin) -> None:
    admin.create("person", name="Ada\u00a0King \u0639\u0644\u06cc\u200c\u0631\u0636\u0627")
    for text in ("ada king", "ADA\u00a0KING", "ada\u3000k", "\u06cc\u200c\u0631"):
        listed = admin.api(f"{USERS}?q={quote(text)}").json
        assert [user["username"] for user in listed] == ["person"], ascii(text)
    assert admin.api(f"{USERS}?q=a%E2%80%AEb").status == 422
    delete(admin, "person")


def test_names_are_shown_as_they_are(admin: Admin) -> None:
    for name in HARMLESS.values():
        user_id = admin.create("person")
        admin.api(f"{USERS}/{user_id}", "PATCH", {"name": name})
        for words in (("user", "list", "--q", "person"), ("audit", "list"), ("user", "show")):
            more = ("person",) if words[-1] == "show" else ()
            ended = admin.server.cli(*words, *more)
            assert name in ended.stdout, words
        for path in (f"{PAGE}?q=person", f"{PAGE}/users/{user_id}", f"{PAGE}/audit"):
            assert name in admin(path).text, path
        token = sign_in(admin.server.port, "person")
        headers = ask(admin.server.port, "/auth/verify", headers=bearer(token))
        assert unquote(headers["Remote-Name"]) == name
        delete(admin, "person")


def test_a_subject_may_have_them_too(admin: Admin) -> None:
    where = f"{USERS}/{admin.create('person')}/identities"
    for subject in (*HARMLESS.values(), "a\u00a0b"):
        made = admin.api(where, "POST", {"provider": "cas", "subject": subject})
        assert (made.status, made.json["subject"]) == (201, subject)
    refused = admin.api(where, "POST", {"provider": "cas", "subject": "a\u202eb"})
    assert refused.status == 422
    delete(admin, "person")
