"""The shape of a good configuration."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from service.parsing import urls
from service.parsing.client_address import Network

Environment = Literal["development", "test", "production"]


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """Where the users are: a SQLite file, which need not exist, or a database of PostgreSQL.

    `path` is the file, None for PostgreSQL; `shown` is for people: no password is in it.
    """

    url: str = field(repr=False)
    shown: str
    path: Path | None = None

    def __str__(self) -> str:
        return self.shown

    @property
    def safe_url(self) -> str:
        """The address without its password."""
        return re.sub(r"^(\w+://[^:@/?#]*):[^@/?#]*@", r"\1@", self.url)


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What the commands about keys need. `expires_in` are seconds."""

    path: Path
    algorithm: str
    expires_in: int
    production: bool


class RoleRule(NamedTuple):
    """Whoever has `value` in the attribute that a provider tells roles by has `role` here."""

    role: str
    value: str

    def __str__(self) -> str:
        return f"{self.role}={self.value}"


EMAIL_DOMAIN = "email_domain"
"""The requirement of a checked e-mail address under a domain; all others name a claim."""


class Requirement(NamedTuple):
    """A claim that must have a value, or one of several, before an account signs anybody in."""

    claim: str
    value: str

    def __str__(self) -> str:
        return f"{self.claim}={self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdProvider:
    """A provider, and what we are to it. Without a secret we are a public client.

    `start` is the path of the way in; the provider leads back to `callback`, each to its own.
    """

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: tuple[str, ...]
    username_claim: str
    roles_claim: str | None
    roles: tuple[RoleRule, ...]
    require: tuple[Requirement, ...] = ()
    start: str
    callback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting of the contract that this version has. Durations are whole seconds."""

    environment: Environment
    public_url: str
    host: str
    port: int
    workers: int
    database: DatabaseUrl
    jwt_secret_key: str | None = field(repr=False)
    jwt_secret_key_previous: str | None = field(repr=False)
    jwt_algorithm: str
    jwt_keys_file: Path | None
    jwt_expires_in: int
    jwt_audience: str | None
    revocation_max_staleness: int
    allowed_redirects: frozenset[str]
    cookie_name: str
    cookie_domain: str | None
    cookie_samesite: str
    cookie_secure: bool
    bypass_auth: bool
    bypass_networks: tuple[Network, ...]
    trusted_proxies: tuple[Network, ...]
    provision_users: bool
    cas_url: str | None
    cas_service_url: str
    cas_version: str
    cas_renew: bool
    cas_trust_usernames: bool
    cas_roles_attribute: str | None
    cas_roles: tuple[RoleRule, ...]
    openid: tuple[OpenIdProvider, ...]
    log_level: str
    log_format: Literal["text", "json"]
    secret_files: tuple[tuple[str, Path], ...] = field(default=(), repr=False, compare=False)
    """The files that hold secrets, each with the setting that names it."""

    @property
    def production(self) -> bool:
        """Whether nothing unsafe may work."""
        return self.environment == "production"

    @property
    def form_origins(self) -> frozenset[str]:
        """Where a form of ours may lead to besides here: signing out goes on to the provider."""
        origins = {urls.origin_of(address) for address in (self.cas_url,) if address}
        return self.allowed_redirects.union(filter(None, origins))
