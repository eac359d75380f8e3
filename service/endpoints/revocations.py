"""`/auth/revocations`: the feed for services that verify tokens on their own.

Strangers may ask as often as they like: a document is made once for all who ask within a second, on
the feed's own connection to the database, and few long ones are on their way at once.
"""

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

TYPE = TYPES[Purpose.FEED]
AUDIENCE = "latchkey-revocations"
RENEWED_SECONDS = 30
"""How old the document can be that a cache gives out after a 304. Followers refuse one over 60."""


@access.public
async def feed(request: web.Request) -> web.Response:
    """GET /auth/revocations[?since=]: what tokens were taken back, as a signed JWT.

    Claims: `iss`, `aud`, `iat`, `exp`, `age` (seconds since the database was asked), `since`,
    `next` (the `since` of the next question), `more` (ask again at once), `max_life` (a token with
    a longer life is refused), `not_before` (one with an earlier `auth_time`, too), `pruned_until`
    (one whose `exp` is not later has expired, whatever a clock says), and `changes`, with rows of
    three kinds:
    `[seq, "session", sid, until]`, `[seq, "revoked", user id, version, until]` and
    `[seq, "changed", user id, version, until]`. A `since` from the future is answered from the
    start (`since` is 0): the database is another one, and what the asker knows is void. When much
    is asked for at once, the document is short (`more`) or from the start; or 503 with
    `Retry-After`.
    """
    since = _since(request)
    known = request.app[context.REVOCATION]
    if known.age > FRESH_SECONDS or since > known.seq:
        await known.catch_up()
    newest = known.seq  # once: what comes while we read is for the next question
    since = since if since <= newest else 0
    said = known.state
    state = f"{said.max_life}.{said.not_before}.{said.pruned_until}"
    # With the signer: who has the document of an old key learns that there is a new one. With the
    # time: no 304 lets a cache give out a document again that is over.
    tokens = request.app[context.TOKENS]
    signer = tokens.signer(Purpose.FEED)
    tag = f"{newest}.{state}.{signer}.{tokens.now() // RENEWED_SECONDS:x}"
    headers = {"ETag": f'"{tag}.{since}"', "Cache-Control": "no-cache"}
    # Who has read up to the newest row from another place knows as much.
    known_tags = {each.rpartition(".")[0] for each in responses.known_tags(request)}
    if since == newest and tag in known_tags:
        return responses.not_modified(headers)
    key = Key(since, newest, signer, state)
    answers = request.app[context.LARGE_ANSWERS]
    try:
        try:
            body = await request.app[context.DOCUMENTS].get(key, partial(_make, request.app, key))
        except errors.Overloaded:
            suffix, body = await _shared(request.app, key)
            headers["ETag"] = f'"{tag}.{suffix}"'
    except errors.Overloaded:
        await answers.refuse()
    headers["Content-Type"] = f"application/{TYPE}"
    return await answers.answer(request, body, headers)


async def _make(app: web.Application, key: Key) -> Document:
    """Return the signed document of what came after `since`."""
    page = await events.read(app[context.DATABASE].feed, key.since, LONG)
    more = len(page.rows) == LONG
    return Document(_sign(app, key.since, page, more=more), page.rows[-1]["seq"] if more else None)


async def _shared(app: web.Application, key: Key) -> tuple[str, bytes]:
    """Return what is left while too many documents are asked for, and its part of the `ETag`.

    A short document, or to those who are far behind the whole feed, page by page.
    """
    documents, database = app[context.DOCUMENTS], app[context.DATABASE].feed
    if key.newest - key.since > NEAR:
        if documents.is_page(key.since):
            raise errors.Overloaded
        start = key._replace(since=0)
        return "0", await documents.get(start, partial(_make, app, start))
    page = await documents.part(key, partial(events.read, database))
    more = page.rows[-1]["seq"] < page.newest if page.rows else False
    return f"{key.since}-{SHORT}", _sign(app, key.since, page, more=more)


def _sign(app: web.Application, since: int, page: events.Page, *, more: bool) -> bytes:
    """Return the signed document of a page of rows."""
    known, rows = app[context.REVOCATION], page.rows
    state = page.state.after(known.state)
    document = {
        "age": round(known.age, 3),
        "since": since,
        "next": rows[-1]["seq"] if rows else since,
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
