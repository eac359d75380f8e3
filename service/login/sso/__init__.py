"""What the ways in through a provider share: an attempt begins, comes back, and signs in."""

from service.login.sso.arrival import Arrival, come_back
from service.login.sso.attempt import begin, fresh

__all__ = ["Arrival", "begin", "come_back", "fresh"]
