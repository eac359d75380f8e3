"""What the ways in through a provider share: an attempt begins, comes back, and signs in."""

from aiohttp import web

from service.login.sso.attempt import SECONDS, Facts, begin, fresh
from service.login.sso.callback import Arrival, come_back
from service.login.sso.pending import PendingSignIns
from service.login.sso.replays import Replays
from service.providers.http_client import Outbound

OUTBOUND = web.AppKey("outbound", Outbound)
PENDING = web.AppKey("pending_sign_ins", PendingSignIns)
REPLAYS = web.AppKey("replays", Replays)

__all__ = [
    "OUTBOUND",
    "PENDING",
    "REPLAYS",
    "SECONDS",
    "Arrival",
    "Facts",
    "PendingSignIns",
    "Replays",
    "begin",
    "come_back",
    "fresh",
]
