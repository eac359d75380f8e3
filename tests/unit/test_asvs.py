"""`docs/asvs.md` has each requirement of V6 and V7 once, and names tests that exist."""

import re

from tests.support.environment import ROOT

TEXT = (ROOT / "docs" / "asvs.md").read_text()
SECTIONS = {
    "6.1": 3,
    "6.2": 12,
    "6.3": 8,
    "6.4": 6,
    "6.5": 8,
    "6.6": 4,
    "6.7": 2,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
    "7.4": 5,
    "7.5": 3,
    "7.6": 2,
}
"""The number of requirements of each section in version 5.0.0."""
STATES = {"met", "met in part", "not met", "not applicable", "your setting", "your operation"}


def rows() -> list[list[str]]:
    """Return the cells of each row."""
    lines = [line for line in TEXT.splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_requirement_has_one_row() -> None:
    found = [number for row in rows() for number in re.findall(r"\d\.\d\.\d+", row[0])]
    wanted = [f"{name}.{each}" for name, count in SECTIONS.items() for each in range(1, count + 1)]
    assert sorted(set(found)) == sorted(wanted)
    assert [number for number in found if found.count(number) > 1] == []


def test_each_row_has_a_state_and_a_reason() -> None:
    for number, state, where in rows():
        assert state in STATES, number
        assert where, number


def test_the_tests_that_it_names_exist() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", TEXT))
    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()
