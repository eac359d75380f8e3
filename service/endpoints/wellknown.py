"""For whoever verifies our tokens: `/.well-known/jwks.json`."""

from aiohttp import web

from service import context, keys, marks


@marks.public
async def public_keys(request: web.Request) -> web.Response:
    """GET /.well-known/jwks.json: the public keys, those that will sign next included."""
    body, tag = request.app[context.TOKENS].public_keys()
    headers = {"Cache-Control": f"public, max-age={keys.MAX_AGE}", "ETag": f'"{tag}"'}
    if context.is_known(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers={**headers, "Content-Type": "application/json"})


ROUTES = (web.get("/.well-known/jwks.json", public_keys),)
