"""An HTTP client for providers, with limits per provider and without retries."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from aiohttp import http_exceptions
from yarl import URL

from service import errors
from service.limits.budgets import Budget
from service.parsing.over_limit import OverLimit

_SECONDS = 10
_BYTES = 65536
LIMIT = "64 KiB (65,536 bytes)"
_LINE_LIMIT = "8,190 bytes in a line of the head"
_MAX_HEADERS = 128
_HEADERS_LIMIT = f"{_MAX_HEADERS} headers in the head"
_TOO_MANY = "Too many headers"
"""The message of the library, which has no exception of its own for it."""
_NOT_SUPPORTED = frozenset({501, 505})
"""The statuses by which a server rejects the kind of request, now and later."""
_PROXY_LOGIN = 407
"""The status by which a proxy refuses a request. For https://, it refuses the tunnel."""
AT_ONCE = 20
WAITING = 500


class Outbound:
    """Sends requests without redirects, cookies and environment proxies.

    `proxy` is the URL of an HTTP proxy for all of them. It may contain a password.
    """

    def __init__(self, session: aiohttp.ClientSession, proxy: str | None = None) -> None:
        self._session = session
        self._proxy = None if proxy is None else URL(proxy, encoded=True)
        # A provider that hangs does not block others.
        self._places: dict[str, Budget] = defaultdict(_places)

    async def get(self, address: str, *, accept: str) -> bytes:
        """Return the body of a 200 response, at most 64 KiB, within ten seconds.

        Raises ProviderUnavailable and ProviderAnswerInvalid with a reason that contains no part of
        the URL.
        """
        status, body = await self.send("GET", address, {"Accept": accept})
        if status != 200:
            raise errors.ProviderAnswerInvalid from ValueError(f"status {status}")
        return body

    async def send(
        self, method: str, address: str, headers: Mapping[str, str], body: str | None = None
    ) -> tuple[int, bytes]:
        """Return the status and body of a response, also of a redirect, within the same limits.

        Raises ProviderUnavailable without a complete response, ProviderBusy for 5xx and 429, except
        501 and 505; ProviderAnswerInvalid, ProviderAnswerTooLarge and ProviderAnswerUnsupported for
        a response that cannot be used; Overloaded.
        """
        try:
            async with asyncio.timeout(_SECONDS), self._places[urlsplit(address).netloc]:
                return await self._send(method, address, headers, body)
        except TimeoutError:
            raise errors.ProviderUnavailable from ConnectionError("no answer in time")
        except aiohttp.ClientHttpProxyError as error:
            raise errors.ProviderUnavailable from ConnectionError(f"proxy status {error.status}")
        except aiohttp.ClientResponseError as error:  # the head is not HTTP, or it is too large
            cause = _first_cause(error)
            if isinstance(cause, http_exceptions.LineTooLong):
                raise errors.ProviderAnswerTooLarge(_LINE_LIMIT) from OverLimit(_LINE_LIMIT)
            if _TOO_MANY in str(cause):
                raise errors.ProviderAnswerTooLarge(_HEADERS_LIMIT) from OverLimit(_HEADERS_LIMIT)
            reason = f"not HTTP: {type(cause).__name__}"
            raise errors.ProviderAnswerInvalid from ValueError(reason)
        # UnicodeError: an invalid host name, such as a..b
        except (aiohttp.ClientError, ConnectionError, UnicodeError) as error:
            raise errors.ProviderUnavailable from ConnectionError(type(error).__name__)

    async def _send(
        self, method: str, address: str, headers: Mapping[str, str], body: str | None
    ) -> tuple[int, bytes]:
        async with self._session.request(
            method,
            URL(address, encoded=True),
            headers={"Accept-Encoding": "identity", "User-Agent": "latchkey", **headers},
            data=body,
            allow_redirects=False,
            proxy=self._proxy,
        ) as response:
            status = response.status
            if status == _PROXY_LOGIN and self._proxy is not None:
                raise errors.ProviderUnavailable from ConnectionError(f"proxy status {status}")
            if (status >= 500 and status not in _NOT_SUPPORTED) or status == 429:
                raise errors.ProviderBusy from ConnectionError(f"status {status}")
            answer = b""
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > _BYTES:
                    raise errors.ProviderAnswerTooLarge(LIMIT) from OverLimit(LIMIT)
            if response.headers.get("Content-Encoding", "").lower() not in ("", "identity"):
                # It was not requested, and its limit would need a second one for the unpacked data.
                raise errors.ProviderAnswerUnsupported from ValueError("Content-Encoding")
            return status, answer


@asynccontextmanager
async def opened(proxy: str | None = None) -> AsyncIterator[Outbound]:
    """Open the client for the block. Sends no request yet."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        max_headers=_MAX_HEADERS,
        raise_for_status=False,
        middlewares=(_once,),
    ) as session:
        yield Outbound(session, proxy)


def _places() -> Budget:
    return Budget(at_once=AT_ONCE, waiting=WAITING)


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Prevent the library from retrying after a broken connection: a ticket is valid once."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorCertificateError as error:
        reason = _of_certificate(error.certificate_error)
        raise errors.ProviderUntrusted from ConnectionError(reason)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise errors.ProviderUnavailable from ConnectionError(type(error).__name__)


def _first_cause(error: BaseException) -> BaseException:
    return error if error.__cause__ is None else _first_cause(error.__cause__)


def _of_certificate(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    return "certificate"
