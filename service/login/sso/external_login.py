"""What a sign-in method reports about a successful login at a provider."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.config import RoleRule
from service.providers.claim_values import Claimed
from service.providers.sessions import ProviderSession


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalLogin:
    """A successful login at a provider.

    `session` has the provider, the subject and the session there. `username` is the name of a new
    user. With `trusted`, it is also the name of the existing user, without a link, unless another
    provider created that user. `facts` are the fields of a new user, `ignored` are the facts that
    cannot be used, each with a constant reason for the log. `values` are the values of the
    claim `roles_claim` for `rules`; None if the provider does not control roles. `unread` is why
    more facts could not be read, a constant reason for the log, or None.

    `signed_in_at` is the provider's time of the sign-in, or 0. `has_ended` returns whether the
    session there has ended, as far as this process knows.
    """

    session: ProviderSession
    amr: tuple[str, ...]
    username: str
    trusted: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    rules: Collection[RoleRule] = ()
    roles_claim: str = ""
    values: Claimed | None = None
    unread: str | None = None
    signed_in_at: int = 0
    has_ended: Callable[[], bool] = bool
