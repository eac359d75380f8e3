"""Public key sets, one for each purpose: `/.well-known/*jwks.json`."""

from aiohttp import web

from service import keys
from service.keys import Purpose, SigningPurpose
from service.web import access, context, responses


@access.public
async def sessions(request: web.Request) -> web.Response:
    """GET /.well-known/jwks.json: the public keys of tokens, including published future keys."""
    return _answer(request, Purpose.SESSION)


@access.public
async def feed(request: web.Request) -> web.Response:
    """GET /.well-known/feed-jwks.json: the public keys of the revocation feed."""
    return _answer(request, Purpose.FEED)


@access.public
async def assertions(request: web.Request) -> web.Response:
    """GET /.well-known/assertion-jwks.json: the public keys of assertions."""
    return _answer(request, Purpose.ASSERTION)


def _answer(request: web.Request, purpose: SigningPurpose) -> web.Response:
    body, tag = request.app[context.TOKENS].public_keys(purpose)
    headers = {"Cache-Control": f"public, max-age={keys.MAX_AGE}", "ETag": f'"{tag}"'}
    if responses.is_known(request, headers["ETag"]):
        return responses.not_modified(headers)
    return web.Response(body=body, headers={**headers, "Content-Type": "application/json"})


ROUTES = (
    web.get("/.well-known/jwks.json", sessions),
    web.get("/.well-known/feed-jwks.json", feed),
    web.get("/.well-known/assertion-jwks.json", assertions),
)
