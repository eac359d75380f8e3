"""Sign-in through a provider: attempts and callbacks, for CAS and OpenID Connect."""

from aiohttp import web

from service.login.sso.attempt import begin, choice, id_of, new
from service.login.sso.attempt_cookies import SECONDS, State
from service.login.sso.callback import Resumed, resume
from service.login.sso.external_login import ExternalLogin
from service.login.sso.pending import PendingSignIns
from service.login.sso.replays import ReplayCache
from service.login.sso.spent import SPENT
from service.login.sso.spent import respond as respond_to_spent
from service.providers.http_client import Outbound

OUTBOUND = web.AppKey("outbound", Outbound)
PENDING = web.AppKey("pending_sign_ins", PendingSignIns)
REPLAYS = web.AppKey("replays", ReplayCache)

__all__ = [
    "OUTBOUND",
    "PENDING",
    "REPLAYS",
    "SECONDS",
    "SPENT",
    "ExternalLogin",
    "PendingSignIns",
    "ReplayCache",
    "Resumed",
    "State",
    "begin",
    "choice",
    "id_of",
    "new",
    "respond_to_spent",
    "resume",
]
