"""What a proxy is told of a caller, in headers: made once for each version of a user."""

import asyncio
from collections import OrderedDict
from urllib.parse import quote

from multidict import CIMultiDict, CIMultiDictProxy

from service import errors, users
from service.db import Database
from service.tokens import Claims

NOTHING = "-"
"""Stands in a header where there is nothing to say: Caddy wants each to be there, not empty."""

_REMEMBERED = 10_000
_AS_IT_IS = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")

Headers = CIMultiDictProxy[str]


class IdentityHeaders:
    """The memory of one process, by a user's `id` and `ver`: another `ver`, another reading."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[tuple[int, int], Headers] = OrderedDict()
        self._reading: dict[tuple[int, int], asyncio.Task[Headers]] = {}

    async def of(self, claims: Claims) -> Headers:
        """Return the headers of a caller whose claims are the present ones.

        Name and e-mail address are in no token: they are read at the first question, however many
        ask at once. While the database does not answer, they are left out and asked for again.
        """
        key = claims["id"], claims["ver"]
        known = self._known.get(key)
        if known is not None:
            return known
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read(claims))
            reading.add_done_callback(lambda _: self._reading.pop(key))
        try:
            return await asyncio.shield(reading)
        except errors.DatabaseUnavailable:
            return _headers(claims, None, None)

    async def _read(self, claims: Claims) -> Headers:
        user = await users.by_id(self._database, claims["id"]) or {"name": None, "email": None}
        headers = _headers(claims, user["name"], user["email"])
        self._known[claims["id"], claims["ver"]] = headers
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return headers


def value(text: str | None) -> str:
    """Return a text as a header can carry it: percent-encoded UTF-8, wherever it is not ASCII.

    A percent sign is encoded too, and what would pass for nothing: decoding gives back the text.
    """
    if not text:
        return NOTHING
    encoded = quote(text.strip(), safe=_AS_IT_IS)
    return {"": NOTHING, NOTHING: "%2D"}.get(encoded, encoded)


def _headers(claims: Claims, name: str | None, email: str | None) -> Headers:
    user = value(claims["username"])
    groups = value(",".join(role["role"] for role in claims["roles"]))
    return CIMultiDictProxy(
        CIMultiDict(
            {
                "Remote-User": user,
                "Remote-Groups": groups,
                "Remote-Name": value(name),
                "Remote-Email": value(email),
                "X-Auth-Request-User": user,
                "X-Auth-Request-Groups": groups,
                "X-Auth-Request-Email": value(email),
            }
        )
    )
