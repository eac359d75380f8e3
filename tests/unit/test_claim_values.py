"""Every shape of a claim that tells roles: which values it has, or why it cannot be read."""

from typing import Any

import pytest

from service.providers import claim_values
from service.providers.claim_values import Unreadable

RULES = ("staff", "Domain Users", "cn=it,dc=example")
POINTER = {
    "_claim_names": {"groups": "src1"},
    "_claim_sources": {"src1": {"endpoint": "https://x"}},
}
STAFF = frozenset({"staff"})
NONE: frozenset[str] = frozenset()

SHAPES: list[tuple[str, str, dict[str, Any], claim_values.Claimed]] = [
    ("list", "groups", {"groups": ["staff", "x y"]}, frozenset({"staff", "x y"})),
    ("list with a name of two words", "groups", {"groups": ["Domain Users"]},
     frozenset({"Domain Users"})),
    ("a thousand groups", "groups", {"groups": [f"g{n}" for n in range(999)] + ["staff"]},
     frozenset({*(f"g{n}" for n in range(999)), "staff"})),
    ("empty list", "groups", {"groups": []}, NONE),
    ("empty text", "groups", {"groups": ""}, NONE),
    ("blank text", "groups", {"groups": " \t"}, NONE),
    ("one text", "groups", {"groups": "staff"}, STAFF),
    ("text with blanks", "groups", {"groups": " staff  x\ty "}, frozenset({"staff", "x", "y"})),
    ("text with commas", "groups", {"groups": "staff, Domain Users,"},
     frozenset({"staff", "Domain Users"})),
    ("text that a rule names", "groups", {"groups": "Domain Users"}, frozenset({"Domain Users"})),
    ("name of LDAP", "groups", {"groups": "cn=it,dc=example"}, frozenset({"cn=it,dc=example"})),
    ("text with a name of two words in it", "groups", {"groups": "staff Domain Users"},
     Unreadable("ambiguous")),
    ("names of LDAP in one text", "groups", {"groups": "cn=it,dc=example,cn=x,dc=example"},
     Unreadable("ambiguous")),
    ("text with semicolons", "groups", {"groups": "staff;x"}, Unreadable("separator")),
    ("JSON in a text", "groups", {"groups": '["staff"]'}, Unreadable("encoded")),
    ("list in a text", "groups", {"groups": "[staff, x]"}, Unreadable("encoded")),
    ("object of objects", "groups", {"groups": {"staff": {"17": "example.org"}, "x": {}}},
     frozenset({"staff", "x"})),
    ("object of truths", "groups", {"groups": {"staff": True, "x": False, "y": None}}, STAFF),
    ("empty object", "groups", {"groups": {}}, NONE),
    ("object of lists", "realm_access", {"realm_access": {"roles": ["staff"]}},
     Unreadable("object_members")),
    ("object of texts", "groups", {"groups": {"staff": {}, "x": "no"}},
     Unreadable("object_members", STAFF)),
    ("absent", "groups", {"sub": "ada"}, Unreadable("absent")),
    ("null", "groups", {"groups": None}, Unreadable("null")),
    ("number", "groups", {"groups": 7}, Unreadable("number")),
    ("fraction", "groups", {"groups": 7.5}, Unreadable("number")),
    ("boolean", "groups", {"groups": True}, Unreadable("boolean")),
    ("false", "groups", {"groups": False}, Unreadable("boolean")),
    ("list of numbers", "groups", {"groups": [1, 2]}, Unreadable("list_members")),
    ("mixed list", "groups", {"groups": ["staff", 7, None]}, Unreadable("list_members", STAFF)),
    ("list of objects", "groups", {"groups": [{"name": "staff"}]}, Unreadable("list_members")),
    ("list of lists", "groups", {"groups": [["staff"]]}, Unreadable("list_members")),
    ("pointer", "groups", POINTER, Unreadable("elsewhere")),
    ("pointer beside some", "groups", {**POINTER, "groups": ["staff"]},
     Unreadable("elsewhere", STAFF)),
    ("pointer to another claim", "roles", {**POINTER, "roles": []}, NONE),
    ("pointer to the parent", "groups.all", POINTER, Unreadable("elsewhere")),
    ("pointers that are none", "groups", {"_claim_names": ["groups"], "groups": []}, NONE),
    ("too many", "groups", {"hasgroups": True}, Unreadable("too_many")),
    ("not too many", "groups", {"hasgroups": True, "groups": ["staff"]}, STAFF),
    ("path", "realm_access.roles", {"realm_access": {"roles": ["staff"]}}, STAFF),
    ("path without its end", "realm_access.roles", {"realm_access": {}}, Unreadable("absent")),
    ("path without its parent", "realm_access.roles", {}, Unreadable("absent")),
    ("path through null", "a.roles", {"a": None}, Unreadable("absent")),
    ("path through a text", "a.roles", {"a": "staff"}, Unreadable("parent_not_object")),
    ("path to an empty list", "a.roles", {"a": {"roles": []}}, NONE),
    ("name that is an address", "https://example.org/roles",
     {"https://example.org/roles": ["staff"]}, STAFF),
    ("name with dots in a path", "resource_access.my.app.roles",
     {"resource_access": {"my.app": {"roles": ["staff"]}}}, STAFF),
    ("the whole name goes first", "a.b", {"a.b": ["staff"], "a": {"b": ["x"]}}, STAFF),
    ("a null under the whole name", "a.b", {"a.b": None, "a": {"b": ["staff"]}}, STAFF),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "claims", "expected"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES]
)
def test_a_shape_is_read_or_named(
    path: str, claims: dict[str, Any], expected: claim_values.Claimed
) -> None:
    assert claim_values.read(claims, path, RULES) == expected


@pytest.mark.parametrize("path", [".", "..", "a.", ".a", "a..b", "x" * 255, "." * 255])
def test_an_odd_path_is_absent(path: str) -> None:
    assert claim_values.read({"a": {"b": 1}, "": 1}, path) in (
        Unreadable("absent"),
        Unreadable("parent_not_object"),
        frozenset(),
        Unreadable("object_members"),
    )


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        (({"groups": []}, {"groups": ["staff"]}), NONE),
        (({}, {"groups": ["staff"]}), STAFF),
        ((POINTER, {"groups": ["staff"]}), STAFF),
        (({"groups": 7}, {"groups": []}), NONE),
        ((POINTER, {}), Unreadable("elsewhere")),
        (({}, {"groups": 7}), Unreadable("number")),
        (({}, {}), Unreadable("absent")),
        (({"groups": None},), Unreadable("null")),
    ],
    ids=str,
)
def test_the_first_document_that_can_be_read_counts(
    documents: tuple[dict[str, Any], ...], expected: claim_values.Claimed
) -> None:
    assert claim_values.first(documents, "groups", RULES) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, Unreadable("absent")),
        ((), NONE),
        (("",), NONE),
        (("staff", ""), STAFF),
        (("Domain Users",), frozenset({"Domain Users"})),
        (("[staff, x]",), Unreadable("encoded", frozenset({"[staff, x]"}))),
    ],
)
def test_an_attribute_of_cas_is_a_list(
    values: tuple[str, ...] | None, expected: claim_values.Claimed
) -> None:
    assert claim_values.of_attribute(values) == expected
