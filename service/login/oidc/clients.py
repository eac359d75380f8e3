"""The providers that are on, as this application knows them, and what they said already."""

import time
from collections.abc import Callable

from aiohttp import web

from service import context, errors, logs
from service.config import openid
from service.openid import Rejected, Unusable
from service.openid.provider import Provider

AT_MOST = 10_000


class Replays:
    """What was said once and is not to be heard again, for as long as it could be said."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def is_new(self, what: str, seconds: float) -> bool:
        """Tell whether this is heard for the first time, and remember it for `seconds`.

        When there is too much to remember, the oldest is forgotten first.
        """
        now = self._clock()
        if self._until.get(what, now) > now:
            return False
        if len(self._until) >= AT_MOST:
            self._until = {key: until for key, until in self._until.items() if until > now}
            for oldest in list(self._until)[: max(0, len(self._until) - AT_MOST + 1)]:
                del self._until[oldest]
        self._until[what] = now + seconds
        return True


CLIENTS = web.AppKey("openid_clients", dict[str, Provider])
REPLAYS = web.AppKey("openid_replays", Replays)


def named(request: web.Request) -> Provider:
    """Return the provider that a path names; the plain one for a path without a name.

    Raises ProviderUnknown.
    """
    provider = request.app[CLIENTS].get(request.match_info.get("provider", openid.PLAIN))
    if provider is None:
        raise errors.ProviderUnknown
    return provider


def refusal(request: web.Request, provider: Provider, rejected: Rejected) -> errors.Problem:
    """Note why something was rejected; return what to say of it to a stranger."""
    context.log(
        request,
        "openid_rejected",
        level=logs.WARNING,
        provider=provider.settings.name,
        reason=rejected.reason,
    )
    if isinstance(rejected, Unusable):
        return errors.ProviderAnswerInvalid()
    return errors.AnswerRefused()
