"""Requests of ours to providers: bounded in time, size and number, and never led elsewhere."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from service import errors, logs
from service.openid.provider import Answer

SECONDS = 10
"""The deadline of a request, waiting for its turn included."""
MAX_BYTES = 65536
_AT_ONCE = 32
_AT_ONCE_PER_HOST = 16
_ALWAYS = {"User-Agent": "Latchkey", "Accept-Encoding": "identity"}


class Outgoing:
    """One client for all providers. It keeps no cookies, and reads no proxy or .netrc settings."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self._client = client

    async def send(
        self, method: str, address: str, headers: Mapping[str, str], body: str | None
    ) -> Answer:
        """Send one request, once. Raises ProviderUnavailable: no answer, or not one for us.

        A redirect is an answer like any other; 5xx and 429 are none.
        """
        try:
            async with self._client.request(
                method, address, headers={**_ALWAYS, **headers}, data=body, allow_redirects=False
            ) as response:
                if response.status >= 500 or response.status == 429:
                    raise _unavailable(address, f"status {response.status}")
                return Answer(response.status, await _read(response, address))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unavailable(address, type(error).__name__) from None


@asynccontextmanager
async def connect() -> AsyncIterator[Outgoing]:
    """Open the client, and close it at the end."""
    client = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_AT_ONCE, limit_per_host=_AT_ONCE_PER_HOST),
        timeout=aiohttp.ClientTimeout(total=SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        requote_redirect_url=False,
    )
    async with client:
        yield Outgoing(client)


async def _read(response: aiohttp.ClientResponse, address: str) -> bytes:
    """Read a body, up to a bound; what is compressed has none."""
    if "Content-Encoding" in response.headers:
        raise _unavailable(address, "compressed")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            raise _unavailable(address, "too large")
    return bytes(body)


def _unavailable(address: str, reason: str) -> errors.ProviderUnavailable:
    """Note why; an address that we ask has no secret in it, but may be long."""
    logs.event("provider_unavailable", level=logs.WARNING, address=address, reason=reason)
    return errors.ProviderUnavailable()
