"""What the server tells a handler of a request body that it does not wait for any longer."""

from aiohttp import web


class BodyGivenUp(web.RequestPayloadError):
    """A body that is not waited for any longer, since newer ones need the memory."""
