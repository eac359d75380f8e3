"""`/auth/revocations`: the feed for services that verify tokens on their own."""

from aiohttp import web

from service import changes, context, errors, marks, tokens
from service.changes import lifetimes
from service.db import Row
from service.freshness import FRESH_SECONDS
from service.keys import Purpose

TYPE = tokens.TYPES[Purpose.FEED]
AUDIENCE = "latchkey-revocations"
_ROWS = 10_000


@marks.public
async def feed(request: web.Request) -> web.Response:
    """GET /auth/revocations[?since=]: what tokens were taken back, as a signed JWT.

    Claims: `iss`, `aud`, `iat`, `exp`, `age` (seconds since the database was asked), `since`,
    `next` (the `since` of the next question), `more` (ask again at once), `max_life` (a token with
    a longer life is refused), `not_before` (one with an earlier `iat`, too), `pruned_until` (one
    whose `exp` is not later has expired, whatever a clock says), and `changes`, with rows of three
    kinds:
    `[seq, "session", sid, until]`, `[seq, "revoked", user id, version, until]` and
    `[seq, "changed", user id, version, until]`. A `since` from the future is answered from the
    start (`since` is 0): the database is another one, and what the asker knows is void.
    """
    since = _since(request)
    known = request.app[context.REVOCATION]
    if known.age > FRESH_SECONDS or since > known.seq:
        await known.catch_up()
    newest = known.seq  # once: what comes while we read is for the next question
    since = since if since <= newest else 0
    tag = f"{newest}.{known.state.max_life}.{known.state.not_before}"
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    asked = {etag.value for etag in request.if_none_match or ()}
    if since == newest and tag in asked:
        return web.Response(status=304, headers=headers)
    issuer = request.app[context.TOKENS]
    rows = await changes.live(request.app[context.DATABASE], since, _ROWS)
    state = (await lifetimes.state(request.app[context.DATABASE])).after(known.state)
    more = len(rows) == _ROWS
    document = {
        "age": round(known.age, 3),
        "since": since,
        "next": rows[-1]["seq"] if rows else newest,
        "more": more,
        "max_life": state.max_life,
        "not_before": state.not_before,
        "pruned_until": state.pruned_until,
        "changes": [_compact(row) for row in rows],
    }
    body = issuer.sign_document(Purpose.FEED, document, audience=AUDIENCE).encode()
    return web.Response(body=body, headers={**headers, "Content-Type": f"application/{TYPE}"})


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
