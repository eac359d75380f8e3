"""What the server tells a handler of a request body that it does not wait for any longer."""

from aiohttp import web


class BodyGivenUp(web.RequestPayloadError):
    """An incomplete body was given up, because newer ones need the memory."""
