"""The types of what a session token says: they cost nothing at run time."""

from typing import NotRequired, TypedDict


class Role(TypedDict):
    """A role: its id and its name."""

    id: int
    role: str


class Claims(TypedDict):
    """The claims of a session token (RFC 7519). Times are NumericDates, in seconds since 1970.

    `ver` is the user's version, `sid` the session, `amr` how the user signed in (RFC 8176).
    Tokens of older versions have no `auth_time`.
    """

    id: int
    username: str
    roles: list[Role]
    iss: str
    sub: str
    iat: int
    exp: int
    auth_time: NotRequired[int]
    nbf: NotRequired[int]
    aud: NotRequired[str]
    jti: str
    sid: str
    ver: int
    amr: list[str]
