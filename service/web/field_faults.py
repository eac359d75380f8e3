"""The error messages of a small form: beside each field, or above the form."""

from collections.abc import Mapping
from typing import NamedTuple

from service import errors


class Faults(NamedTuple):
    """Error messages. `beside` has one for each invalid field, by its name."""

    above: str = ""
    beside: Mapping[str, str] = {}


NONE = Faults()


def of(problem: errors.Problem, labels: Mapping[str, str]) -> Faults:
    """Return the messages of a problem. `labels` are the fields of the form, with their labels."""
    beside: dict[str, str] = {}
    above: list[str] = []
    for error in problem.errors:
        name, message = error["attribute"], error["message"]
        if name in labels:
            beside.setdefault(name, f"{labels[name]} {message}.")
        else:
            above.append(f"“{name}” {message}.")
    if not problem.errors:
        above = [problem.detail]
    return Faults(" ".join(above), beside)
