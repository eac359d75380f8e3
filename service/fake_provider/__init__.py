"""A fake identity provider, for development alone: anybody signs in as anybody, by one click.

It speaks OpenID Connect (by Authlib's provider side) and CAS, listens on loopback, keeps everything
in memory, and asks nobody for a password. Never put it where others can reach it.
"""

from service.fake_provider.people import Person
from service.fake_provider.server import Settings, create_app

__all__ = ["Person", "Settings", "create_app"]
