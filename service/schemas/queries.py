"""The query parameters of lists."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, StringConstraints

from service import audit, errors, users
from service.parsing import base64url, harmless, strict_json
from service.schemas.base import ID, Strict, read

_LIMIT = 50
_MAX_LIMIT = 200
_MAX_ID = 10**18


def _limit(text: str) -> str:
    if not ID.fullmatch(text) or int(text) > _MAX_LIMIT:
        raise ValueError(f"must be a number from 1 to {_MAX_LIMIT}")
    return text


def _number(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError("must be the ID of a user")
    return text


def _searched(text: str) -> str:
    """Return a text with plain blanks, as texts are stored, but also those at its ends."""
    harmless.require(text)
    return harmless.with_plain_blanks(text)


def _one_of(*words: str) -> AfterValidator:
    def check(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return AfterValidator(check)


_SORTS = tuple(way + column for column in users.SORTS for way in ("", "-"))


class _Page(Strict):
    limit: Annotated[str, AfterValidator(_limit)] = str(_LIMIT)
    cursor: Annotated[str, StringConstraints(max_length=1000)] | None = None


class _Users(_Page):
    q: (
        Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_searched)]
        | None
    ) = None
    role: Annotated[str, StringConstraints(max_length=64), AfterValidator(_searched)] | None = None
    disabled: Annotated[str, _one_of("true", "false")] | None = None
    sort: Annotated[str, _one_of(*_SORTS)] = "username"


class _Audit(_Page):
    user: Annotated[str, AfterValidator(_number)] | None = None
    action: Annotated[str, _one_of(*get_args(audit.Action))] | None = None


def user_query(given: Mapping[str, object]) -> users.Query:
    """Return the query for a list of users. Raises ValidationError."""
    asked = read(_Users, given)
    sort = asked.sort.removeprefix("-")
    kind = int if sort == "id" else str
    place = _place(asked.cursor, sort, kind)
    return users.Query(
        limit=int(asked.limit),
        q=asked.q,
        role=asked.role,
        disabled=None if asked.disabled is None else asked.disabled == "true",
        sort=sort,
        descending=asked.sort.startswith("-"),
        after=None if place is None else (place[0], place[1]),
    )


def audit_query(given: Mapping[str, object]) -> audit.Query:
    """Return the query for the audit log. Raises ValidationError."""
    asked = read(_Audit, given)
    place = _place(asked.cursor, "audit")
    return audit.Query(
        limit=int(asked.limit),
        before=None if place is None else place[0],
        user=None if asked.user is None else int(asked.user),
        action=asked.action,
    )


def nothing(given: Mapping[str, object]) -> None:
    """Raise ValidationError if there are any parameters."""
    read(Strict, given)


def cursor(*place: str | int) -> str:
    """Encode a position in a list, its name first, as an opaque cursor."""
    return base64url.encode(json.dumps(place).encode()).decode()


def _place(text: str | None, name: str, *kinds: type) -> list[Any] | None:
    """Decode a cursor: values of the types `kinds`, then an ID, without the list's name."""
    if text is None:
        return None
    try:
        place = strict_json.loads(base64url.decode(text.encode()))
    except ValueError:
        place = None
    is_ours = isinstance(place, list) and [type(part) for part in place] == [str, *kinds, int]
    if not is_ours or place[0] != name or abs(place[-1]) >= _MAX_ID or not _fits(place[1]):
        message = "must come from the Link header of a page of this list"
        raise errors.ValidationError(errors=[{"attribute": "cursor", "message": message}])
    return list(place[1:])


def _fits(value: str | int) -> bool:
    return "\0" not in value if isinstance(value, str) else abs(value) < _MAX_ID
