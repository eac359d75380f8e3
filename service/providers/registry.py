"""The enabled identity providers: their sign-in and sign-out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.providers.sessions import ProviderSession

Leave = Callable[[ProviderSession, str], Awaitable[str | None]]
"""Returns the sign-out URL for a provider session and a return URL, or None."""

CHOOSE_ACCOUNT = {"prompt": "select_account"}
"""The parameter of a start by which the user can choose another account at the provider."""


@dataclass(frozen=True, slots=True)
class LoginOption:
    """A provider to sign in with, by the name that identities know it by.

    `label` is what people call it, `start` the path of our way in; `leave` returns None where one
    has no sign-out. It may contact the provider; after a Problem, only our session ends.
    """

    name: str
    label: str
    start: str
    leave: Leave


Providers = dict[str, LoginOption]
