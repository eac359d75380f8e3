"""Validation by pydantic, with our messages and our error."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic import ValidationError as Invalid
from pydantic_core import ErrorDetails

from service import errors

_MAX_PATH = 100
MOST_FAULTS = 100
"""The maximum number of faults in one answer."""
_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is unknown or cannot be set",
    "model_type": "must be an object",
    "string_type": "must be a single string",
    "string_unicode": "must be a string",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
}

ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
"""An ID as text: no sign, no leading zero, in the range of every database."""

T = TypeVar("T")
Reader = Callable[[Mapping[str, str | list[str]]], T]


class Strict(BaseModel):
    """A model without type coercion and without unknown members."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


Shape = TypeVar("Shape", bound=Strict)


def read(kind: type[Shape], value: object, context: Any = None) -> Shape:
    """Return `value` as a model. Raises ValidationError with all faults, or the first 100."""
    try:
        return kind.model_validate(value, context=context)
    except Invalid as invalid:
        count = invalid.error_count()
        raise errors.ValidationError(
            f"The request has {count:,} invalid values. Correct the first {MOST_FAULTS}, listed in"
            " `errors`, and try again."
            if count > MOST_FAULTS
            else None,
            errors=[
                {"attribute": _path(error["loc"]), "message": _message(error)}
                for error in invalid.errors(include_url=False, include_input=False)[:MOST_FAULTS]
            ],
        ) from None


def _path(location: tuple[int | str, ...]) -> str:
    """Return the path of a fault, such as `roles[0]`, or `body` for the whole body."""
    first, *rest = location or ("body",)
    return str(first)[:_MAX_PATH] + "".join(f"[{part}]" for part in rest)


def _message(error: ErrorDetails) -> str:
    facts = error.get("ctx", {})
    if "error" in facts:
        return str(facts["error"])
    message = _MESSAGES.get(error["type"])
    return error["msg"] if message is None else message.format(**facts)
