"""What the ways in through a provider share: an attempt begins, comes back, and signs in."""

from aiohttp import web

from service.login.sso.arrival import Arrival, come_back
from service.login.sso.attempt import Facts, begin, fresh
from service.outbound import Outbound

OUTBOUND = web.AppKey("outbound", Outbound)

__all__ = ["OUTBOUND", "Arrival", "Facts", "begin", "come_back", "fresh"]
