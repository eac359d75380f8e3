"""The providers of identities that are on: how people go to one, and how they sign out there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.providers.sessions import ProviderSession

Leave = Callable[[ProviderSession, str], Awaitable[str | None]]
"""From the session there, and the address to come back to, to the address that signs out there."""


@dataclass(frozen=True, slots=True)
class LoginOption:
    """A provider to sign in with, by the name that identities know it by.

    `label` is what people call it, `start` the path of our way in; `leave` returns None where one
    cannot sign out. It may ask the provider; after a Problem one is signed out here alone.
    """

    name: str
    label: str
    start: str
    leave: Leave


Providers = dict[str, LoginOption]
