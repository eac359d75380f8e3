"""Files of users as spreadsheets write them: other separators, a line that names it, UTF-16."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.thoroughness import some
from tests.unit.test_import_files import ADA, BOB, facts, faults

ROWS = (
    ("username", "name", "email", "roles", "disabled"),
    ("Ada", "Ada Lovelace", "ada@example.org", "editor viewer", "TRUE"),
    ("bob", "", "", "", ""),
)
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}


def table(separator: str, end: str = "\r\n") -> str:
    """Return the rows as a spreadsheet writes them."""
    return "".join(separator.join(row) + end for row in ROWS)


@pytest.mark.parametrize("end", ["\r\n", "\n"], ids=ascii)
@pytest.mark.parametrize("separator", SEPARATORS.values(), ids=SEPARATORS)
def test_the_column_names_show_the_separator(separator: str, end: str) -> None:
    assert facts(table(separator, end).encode(), "csv") == [ADA, BOB]
    assert facts(codecs.BOM_UTF8 + table(separator, end).encode(), "csv") == [ADA, BOB]


@pytest.mark.parametrize("line", ["sep={}", "SEP={}", '"sep={}"', "sep={0}{0}{0}{0}", "\r\nsep={}"])
@pytest.mark.parametrize("separator", SEPARATORS.values(), ids=SEPARATORS)
def test_a_line_may_name_the_separator(separator: str, line: str) -> None:
    text = line.format(separator) + "\r\n" + table(separator)
    assert facts(text.encode(), "csv") == [ADA, BOB]
    assert facts(codecs.BOM_UTF8 + text.encode(), "csv") == [ADA, BOB]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", SEPARATORS.values(), ids=SEPARATORS)
def test_utf_16_is_read_with_its_byte_order_mark(separator: str, encoding: str) -> None:
    text = "\ufeff" + table(separator).replace("Lovelace", "L\xf6velace \u20ac \U0001f600")
    (ada, bob) = facts(text.encode(encoding), "csv")
    assert ada[1] == "Ada L\xf6velace \u20ac \U0001f600"
    assert bob == BOB
    json_lines = '\ufeff{"username": "bob"}\r\n'.encode(encoding)
    assert facts(json_lines, "jsonl") == [BOB]


def test_the_separator_may_be_inside_quotation_marks() -> None:
    text = 'username;name;roles\r\nada;"Lovelace; Ada";"editor;viewer"\r\n'
    assert facts(text.encode(), "csv") == [
        ("ada", "Lovelace; Ada", "", ("editor", "viewer"), False)
    ]
    text = "username\tname\troles\r\nada\tLovelace, Ada; x\teditor, viewer\r\n"
    assert facts(text.encode(), "csv") == [
        ("ada", "Lovelace, Ada; x", "", ("editor", "viewer"), False)
    ]


@pytest.mark.parametrize(
    ("yes", "no"),
    [("WAHR", "FALSCH"), ("VRAI", "FAUX"), ("VERDADERO", "FALSO"), ("VERO", "FALSO"),
     ("VERDADEIRO", "FALSO"), ("WAAR", "ONWAAR"), ("PRAWDA", "FAŁSZ"), ("SANT", "FALSKT"),
     ("TOSI", "EPÄTOSI"), ("TRUE", "FALSE"), ("1", "0"), ("Ja", "Nein")],
)  # fmt: skip
def test_truths_are_in_the_language_of_the_spreadsheet(yes: str, no: str) -> None:
    text = f"username;disabled\r\nada;{yes}\r\nbob;{no}\r\n"
    assert [person[-1] for person in facts(text.encode(), "csv")] == [True, False]


def test_line_ends_of_old_computers_are_named() -> None:
    (fault,) = faults(b"username;name\rada;Ada\r", "csv")
    assert "line ends of old Macintosh computers" in fault


@pytest.mark.parametrize("separator", SEPARATORS.values(), ids=SEPARATORS)
def test_empty_columns_at_the_end_do_not_count(separator: str) -> None:
    text = table(separator).replace("\r\n", separator * 2 + "\r\n") + separator * 6 + "\r\n"
    assert facts(text.encode(), "csv") == [ADA, BOB]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("username;name\nbob;x;y\n", ["2: has 3 values, but there are 2 columns"]),
        ("username;name\nbob\n", ["2: has 1 values, but there are 2 columns"]),
        ("username;name\nbob,x\n", ["2: has 1 values, but there are 2 columns"]),
        ("username;age\nbob;x\n", ["1: unknown column 'age': use username, name, email, roles,"]),
        ("username:name\nbob:x\n", ["1: unknown column 'username:name'", "1: the column username"]),
        ("sep=;\nusername,name\n", ["2: unknown column 'username,name'", "2: the column userna"]),
        ("sep=:\nusername:name\n", ["1: unknown column 'sep=:'", "1: the column username"]),
        ("sep=;\nsep=;\nusername\n", ["2: unknown column 'sep='", "2: the column username"]),
        ("username\nsep=;\n", ["2: username: A user name starts with"]),
        ("sep=;\n", []),
        ('username\tname\n"bob\tx\n', ["2: is not CSV: a quotation mark is not closed"]),
    ],
)
def test_faults(text: str, told: list[str]) -> None:
    found = faults(text.encode(), "csv")
    assert len(found) == len(told), found
    assert all(map(str.startswith, found, told)), found


@pytest.mark.parametrize("more", [b"\x00", b"a", b"\n"], ids=ascii)
def test_half_a_character_of_utf_16_is_a_fault(more: bytes) -> None:
    data = "\ufeffusername\nbob\n".encode("utf-16-le") + more
    assert faults(data, "csv")[-1].partition(": ")[2].startswith("is not UTF-16")


def test_an_unpaired_surrogate_is_a_fault_of_its_line() -> None:
    text = "\ufeffusername\nbob\n\ud800\nada\n"
    found = faults(text.encode("utf-16-le", "surrogatepass"), "csv")
    assert [fault[:15] for fault in found] == ["3: is not UTF-8"]


def test_a_line_of_utf_16_is_at_most_as_long() -> None:
    text = "\ufeffusername\n" + "\u20ac" * 60_000 + "\nbob\nb b\n"
    found = faults(text.encode("utf-16-le"), "csv")
    assert [fault[:30] for fault in found] == [
        "2: is longer than 65536 bytes",
        "4: username: A user name start",
    ]


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z0-9][a-z0-9._@-]{0,10}", fullmatch=True),
            st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20),
            st.booleans(),
        ),
        max_size=10,
        unique_by=lambda person: person[0],
    ),
    st.sampled_from(sorted(SEPARATORS.values())),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([[], ["sep={}"]]),
)
@settings(max_examples=some(200))
def test_what_a_spreadsheet_writes_is_read(
    people: list[tuple[str, str, bool]], separator: str, encoding: str, named: list[str]
) -> None:
    rows = [("username", "name", "disabled"), *people]
    lines = [
        separator.join(
            '"{}"'.format(str(cell).replace('"', '""'))
            if set(str(cell)) & {separator, '"'} or str(cell).startswith(" ")
            else str(cell)
            for cell in row
        )
        for row in rows
    ]
    text = "\r\n".join([line.format(separator) for line in named] + lines)
    wanted = [(username, name, "", (), off) for username, name, off in people]
    assert facts(text.encode(encoding), "csv") == wanted
