"""A fake identity provider for development: sign in as any user with one click, without a password.

It implements OpenID Connect (with Authlib) and CAS, listens on loopback and keeps its state in
memory. Never make it reachable for others.
"""

from service.fake_provider.people import Person
from service.fake_provider.server import Settings, create_app

__all__ = ["Person", "Settings", "create_app"]
