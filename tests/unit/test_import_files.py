"""Files of users: what is read, and that every line which is not is named with every fault."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.schemas import import_files, import_lines
from tests.support.thoroughness import some

KNOWN = {"editor": 1, "viewer": 2}
HEAD = b"username,name,email,roles,disabled\n"
LONG = b"x" * import_lines.MAX_LINE


def read(data: bytes, form: str) -> list[import_files.Line]:
    """Read a file."""
    return list(import_files.people(io.BytesIO(data), form, KNOWN))


def faults(data: bytes, form: str) -> list[str]:
    """Return the faults with their lines."""
    return [f"{line.number}: {fault}" for line in read(data, form) for fault in line.faults]


def facts(data: bytes, form: str) -> list[tuple[object, ...]]:
    """Return the users of a file without faults."""
    assert faults(data, form) == []
    return [
        (new.username, new.name, new.email, new.roles, new.disabled)
        for line in read(data, form)
        if (new := line.newcomer)
    ]


ADA = ("ada", "Ada Lovelace", "ada@example.org", ("editor", "viewer"), True)
BOB = ("bob", "", "", (), False)


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Ada,Ada Lovelace,ada@example.org,editor viewer,true\nbob,,,,\n",
        HEAD + b"ada,Ada Lovelace,ada@example.org,editor;viewer,yes\nbob,,,,false",
        b"\xef\xbb\xbf" + HEAD + b'ada,"Ada Lovelace",ada@example.org,"editor; viewer",1\nbob,,,,0',
        HEAD.replace(b"\n", b"\r\n")
        + b"\r\n\r\nada, Ada Lovelace , ada@example.org , editor  viewer,TRUE\r\n,,,,\r\n"
        b"bob,,,,No\r\n\r\n",
        HEAD.replace(b"email,roles", b"ROLES,Email")
        + b"ada,Ada Lovelace,editor viewer,ada@example.org,1\nbob,,,,",
        HEAD + b'ada, "Ada Lovelace",ada@example.org,editor viewer editor,true\n"bob",,"",,',
    ],
    ids=["plain", "semicolons", "byte order mark", "CRLF, blanks", "other order", "quotes"],
)
def test_csv(data: bytes) -> None:
    assert facts(data, "csv") == [ADA, BOB]


def test_csv_needs_only_the_user_name() -> None:
    assert facts(b"username\nbob\n", "csv") == [BOB]
    quoted = facts(b'username,name\nbob,"Bob ""B"", Jr."\n', "csv")
    assert quoted == [("bob", 'Bob "B", Jr.', "", (), False)]


WHOLE = b"""{"username": "Ada", "name": "Ada Lovelace", "email": "ada@example.org", "roles":
["editor", {"id": 2, "role": "viewer"}], "disabled": true}""".replace(b"\n", b" ")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n \n"], ids=ascii)
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n\n"], ids=ascii)
def test_json_lines(start: bytes, end: bytes) -> None:
    data = start + end.join(
        [
            WHOLE,
            b'{"username": "bob", "name": null}',
            b"",
        ]
    )
    assert facts(data, "jsonl") == [ADA, BOB]


def test_what_the_api_shows_of_users_is_read_at_another_server() -> None:
    shown = (
        b'"version": 3, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"'
    )
    line = b'{"id": 7, "username": "bob", "name": null, "roles": [], %s}\n' % shown
    assert facts(line, "jsonl") == [BOB]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", []),
        (b"name\nAda\n", ["1: the column username is missing"]),
        (
            b"username,username,age,,name\n",
            [
                "1: unknown column 'age': use username, name, email, roles, disabled, separated by",
                "1: unknown column '': use username, name, email, roles, disabled, separated by co",
                "1: the column username is a duplicate",
            ],
        ),
        (b"\xff\nx\n", ["1: is not UTF-8"]),
        ("username\nbob\n".encode("utf-16-le"), ["1: unknown column", "1: the column username is"]),
        ("username\nM\xfcller\n".encode("cp1252"), ["2: is not UTF-8. In Excel, save the file as"]),
        (b'"username\nbob\n', ["1: is not CSV: a quotation mark is not closed on its line"]),
        (LONG + b"\n", ["1: unknown column 'xxx", "1: the column username is missing"]),
        (LONG + b"x\n", ["1: is longer than 65536 bytes"]),
        (b"username\nbob,x\n", ["2: has 2 values, but there are 1 columns"]),
        (HEAD + b"bob\n", ["2: has 1 values, but there are 5 columns"]),
        (b"username\n\xff\nbob\n\xc3\n", ["2: is not UTF-8", "4: is not UTF-8"]),
        (b'username\n"bob\nada"\n', ["2: is not CSV: a quotation mark is not closed on its line",
                                     "3: username: A user name starts with"]),
        (b'username\n"bob"x\n', ["2: is not CSV: ',' expected after '\"'"]),
        (b"username\nbob\rada\n", ["2: is not CSV: it has the line ends of old Macintosh"]),
        (b"username,name\nbob,a\x00b\n", ["2: name: contains U+0000, a control character"]),
        (HEAD + b"a b,x,y,nope editor ghost,maybe\n", [
            "2: username: A user name starts with",
            "2: email: is not a valid e-mail address: an e-mail address must have an @-sign",
            "2: disabled: must be true or false",
            "2: role 'nope': The role does not exist.",
            "2: role 'ghost': The role does not exist.",
        ]),
        (b"username\nbob\nada\nBOB\n", ["4: username: bob is already in line 2"]),
        (b"username,email\nbob,x\nbob,x\n", ["2: email: ", "3: email: ",
                                             "3: username: bob is already in line 2"]),
        (b"username\n" + LONG + b"x\nbob\nb b\n", ["2: is longer than 65536 bytes",
                                                   "4: username: "]),
        (b"username\n" + LONG * 3, ["2: is longer than 65536 bytes"]),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else "",
)  # fmt: skip
def test_faults_of_csv(data: bytes, told: list[str]) -> None:
    found = faults(data, "csv")
    assert len(found) == len(told), found
    assert all(map(str.startswith, found, told)), found


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", ["is not JSON: "]),
        (b"bob", ["is not JSON: "]),
        (b"\xff", ["is not UTF-8"]),
        (b"\x00", ["is not JSON: "]),
        (b'\xef\xbb\xbf{"username": "x"}', ["is not JSON: "]),
        (b'{"username": "x", "username": "y"}', ["is not JSON: a member name is a duplicate"]),
        (b'{"username": NaN}', ["is not JSON: NaN is not JSON"]),
        (b'{"username": "\\ud800"}', ["is not JSON: "]),
        (b"[" * 60_000, ["is not JSON: nested too deeply"]),
        (b"9" * 6000, ["is not JSON: a number is too large"]),
        (b"1e9999", ["is not JSON: a number is too large"]),
        (b"9" * 300, ["body: must be an object"]),
        (b"[]", ["body: must be an object"]),
        (b"null", ["body: must be an object"]),
        (b"{}", ["username: is required"]),
        (b'{"username": "x", "sid": 1}', ["sid: is unknown or cannot be set"]),
        (b'{"username": "x", "\\u001b[2J": 1}', ["'\\x1b[2J': is unknown or cannot be set"]),
        (b'{"username": "x", "disabled": "true"}', ["disabled: must be true or false"]),
        (b'{"username": "x", "roles": "editor"}', ["roles: must be a list"]),
        (b'{"username": "x", "roles": ["ghost", 7]}', ["role 'ghost': ", "role 7: must be"]),
        (b'{"username": "x", "name": "a\\u0000b"}', ["name: contains U+0000, a control character"]),
        (b'{"username": "' + LONG + b'"}', ["is longer than 65536 bytes"]),
        (b'{"username": "bob"}', ["username: bob is already in line 1"]),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else "",
)
def test_faults_of_json_lines(line: bytes, told: list[str]) -> None:
    found = faults(b'{"username": "bob"}\n' + line + b'\n{"username": "ada"}\n', "jsonl")
    assert len(found) == len(told), found
    assert all(map(str.startswith, found, [f"2: {fault}" for fault in told])), found


PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b",", b'"', b"username", b"name", b"bob", b"ada", b"\xff", b"\x00",
     b"\xef\xbb\xbf", b"{", b"}", b'{"username": "bob"}', b'{"username": "ada", "x": 1}', b" ",
     b"username,name\n", "é".encode(), b"[", b"9" * 400]
)  # fmt: skip


@pytest.mark.parametrize("form", import_files.FORMATS)
@given(data=st.lists(PIECES | st.binary(max_size=4), max_size=40).map(b"".join))
@settings(max_examples=some(400))
def test_whatever_is_in_a_file_each_line_is_a_user_or_named(form: str, data: bytes) -> None:
    found = read(data, form)
    numbers = [line.number for line in found]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= data.count(b"\n") + 1 for number in numbers)
    assert all((line.newcomer is None) == bool(line.faults) for line in found)
    assert all(fault.isprintable() for line in found for fault in line.faults)
    made = [line.newcomer.username for line in found if line.newcomer]
    assert len(made) == len(set(made))
    if form == "jsonl":
        full = [
            n for n, text in enumerate(data.split(b"\n"), 1) if text.strip(b"\xef\xbb\xbf\r \t")
        ]
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return  # UTF-16 has other lines
        assert set(numbers) >= {n for n in full if data.split(b"\n")[n - 1].strip()} - {1}


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z0-9][a-z0-9._@+-]{0,10}", fullmatch=True),
            st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20),
            st.lists(st.sampled_from(sorted(KNOWN)), unique=True),
            st.booleans(),
        ),
        max_size=10,
        unique_by=lambda person: person[0],
    )
)
@settings(max_examples=some(200))
def test_what_is_written_is_read(people: list[tuple[str, str, list[str], bool]]) -> None:
    wanted = [(username, name, "", tuple(roles), off) for username, name, roles, off in people]
    names = ("username", "name", "roles", "disabled")
    lines = [json.dumps(dict(zip(names, person, strict=True))) for person in people]
    assert facts("\n".join(lines).encode(), "jsonl") == wanted
    quoted = [
        ",".join(
            '"{}"'.format(str(text).replace('"', '""'))
            for text in (username, name, ";".join(roles), off)
        )
        for username, name, roles, off in people
    ]
    assert facts("\n".join(["username,name,roles,disabled", *quoted]).encode(), "csv") == wanted
