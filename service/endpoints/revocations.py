"""`/auth/revocations`: the feed for services that verify tokens on their own.

The route is public, so its cost is limited: requests within a second share a document, reads use
the feed's own connection to the database, and few long responses are sent at once.
"""

import contextlib
import re
from dataclasses import replace
from functools import partial

from aiohttp import web

from service import errors
from service.db import Row
from service.keys import Purpose
from service.revocation import events
from service.revocation.documents import LONG, NEAR, SHORT, Document, Key
from service.revocation.freshness import FRESH_SECONDS
from service.tokens.issuer import TYPES
from service.web import access, context, responses
from service.web.large_responses import FROM_BYTES

TYPE = TYPES[Purpose.FEED]
AUDIENCE = "latchkey-revocations"
RENEWED_SECONDS = 30
"""The maximum age of a cached document after a 304. Followers reject documents over 60 s."""

_SIGNATURE = 16
"""How many characters of the signature, at the end of a document, are in its entity tag."""
_END = re.compile(rf"[A-Za-z0-9_-]{{{_SIGNATURE}}}", re.ASCII)


@access.public
async def feed(request: web.Request) -> web.Response:
    """GET /auth/revocations[?since=]: the revoked tokens, as a signed JWT.

    Claims: `iss`, `aud`, `iat`, `exp`, `age` (seconds since the database was read), `since`, `next`
    (the `since` of the next request), `more` (send the next request at once), `max_life` (tokens
    with a longer lifetime are refused), `not_before` (tokens with an earlier `auth_time` are
    refused), `pruned_until` (tokens with an `exp` up to this time have expired, regardless of
    clocks), and `changes`, with rows of three kinds:
    `[seq, "session", sid, until]`, `[seq, "revoked", user id, version, until]` and
    `[seq, "changed", user id, version, until]`. A `since` in the future is answered from the start
    (`since` is 0), because the database was replaced and the client's state is void. Under load,
    the document is short (`more`) or from the start, or the answer is 503 with `Retry-After`.
    """
    since = _since(request)
    known = request.app[context.REVOCATION]
    if known.is_behind:  # a sign-out at this process is in its next document
        await known.catch_up_from_now()
    elif known.age > FRESH_SECONDS or since > known.seq:
        await known.catch_up()
    newest = known.seq  # read once: later rows are for the next request
    since = since if since <= newest else 0
    current = known.state
    state = f"{current.max_life}.{current.not_before}.{current.pruned_until}"
    # The documents with this tag are true: the rows are the same, and so is the signer. The time is
    # a part, so that no 304 renews an expired document. A signature makes it a strong validator.
    tokens = request.app[context.TOKENS]
    signer = tokens.signer(Purpose.FEED)
    tag = f"{newest}.{state}.{signer}.{tokens.now() // RENEWED_SECONDS:x}"
    headers = {"Cache-Control": "no-cache"}
    mine = {f"{tag}.{since}", f"{tag}.{since}-{SHORT}"}
    for each in responses.known_tags(request):
        start, _, end = each.rpartition(".")
        if start in mine and _END.fullmatch(end):
            return responses.not_modified({**headers, "ETag": f'"{each}"'})
    key = Key(since, newest, signer, state)
    answers = request.app[context.LARGE_ANSWERS]

    async def send(suffix: str, body: bytes) -> web.Response:
        signature = body[-_SIGNATURE:].decode()
        named = {"ETag": f'"{tag}.{suffix}.{signature}"', "Content-Type": f"application/{TYPE}"}
        return await answers.answer(request, body, {**headers, **named})

    try:
        with contextlib.suppress(errors.Overloaded):
            return await send(*await _usual(request.app, key))
        if since == 0:  # once in a whole reading of the feed
            await answers.hold()
        return await send(*await _short(request.app, key))
    except errors.Overloaded:
        await answers.refuse()


async def _usual(app: web.Application, key: Key) -> tuple[str, bytes]:
    """Return the document of what came after `since`, and its part of the `ETag`.

    Raises Overloaded.
    """
    answers = app[context.LARGE_ANSWERS]
    if key.newest - key.since > SHORT and answers.is_full:
        raise errors.Overloaded
    body = await app[context.DOCUMENTS].get(key, partial(_make, app, key))
    if len(body) >= FROM_BYTES and answers.is_full:
        raise errors.Overloaded
    return str(key.since), body


async def _short(app: web.Application, key: Key) -> tuple[str, bytes]:
    """Return a short document, for requests that cannot get a long one.

    Far behind the newest row, short documents start only at multiples of 200, where the ones before
    them end. Other values of `since` start at 0 again. Raises Overloaded.
    """
    documents = app[context.DOCUMENTS]
    if key.since % SHORT and key.newest - key.since > NEAR:
        key = key._replace(since=0)
        with contextlib.suppress(errors.Overloaded):
            return await _usual(app, key)
    if key.since % SHORT == 0:
        body = await documents.block(key, partial(_make_block, app, key))
    else:
        page = await documents.part(key, partial(events.read, app[context.DATABASE].feed))
        more = page.rows[-1]["seq"] < page.newest if page.rows else False
        body = _sign(app, key.since, page, more=more)
    return f"{key.since}-{SHORT}", body


async def _make(app: web.Application, key: Key) -> Document:
    """Return the signed document of the rows after `since`."""
    page = await events.read(app[context.DATABASE].feed, key.since, LONG)
    if len(page.rows) < LONG:
        return Document(_sign(app, key.since, page, more=False))
    return _up_to(app, key.since, page, page.rows[-1]["seq"] // SHORT * SHORT)


async def _make_block(app: web.Application, key: Key) -> Document:
    """Return the signed document of the first rows after `since` whose block has some."""
    page = await events.read(app[context.DATABASE].feed, key.since, SHORT)
    end = -(-page.rows[0]["seq"] // SHORT) * SHORT if page.rows else 0
    if end < page.newest and page.rows:
        return _up_to(app, key.since, page, end)
    return Document(_sign(app, key.since, page, more=False))


def _up_to(app: web.Application, since: int, page: events.Page, end: int) -> Document:
    """Return the signed document of a page's rows up to `end`, where the next one starts."""
    page = replace(page, rows=[row for row in page.rows if row["seq"] <= end])
    return Document(_sign(app, since, page, more=True, end=end), end)


def _sign(
    app: web.Application, since: int, page: events.Page, *, more: bool, end: int | None = None
) -> bytes:
    """Return the signed document of a page. The next one starts at `end` or its last row."""
    known, rows = app[context.REVOCATION], page.rows
    last = rows[-1]["seq"] if rows else since
    state = page.state.after(known.state)
    document = {
        "age": round(known.age, 3),
        "since": since,
        "next": last if end is None else end,
        "more": more,
        "max_life": state.max_life,
        "not_before": state.not_before,
        "pruned_until": state.pruned_until,
        "changes": [_compact(row) for row in rows],
    }
    tokens = app[context.TOKENS]
    return tokens.sign_document(Purpose.FEED, document, audience=AUDIENCE).encode()


def _since(request: web.Request) -> int:
    values = request.query.getall("since", ["0"])
    if (
        len(values) != 1
        or not values[0].isascii()
        or not values[0].isdigit()
        or len(values[0]) > 18
    ):
        raise errors.SinceInvalid
    return int(values[0])


def _compact(row: Row) -> list[object]:
    if row["kind"] == "session":
        return [row["seq"], row["kind"], row["sid"], row["until"]]
    return [row["seq"], row["kind"], row["user_id"], row["version"], row["until"]]


ROUTES = (web.get("/auth/revocations", feed),)
