"""The types of a valid configuration."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from service.parsing import urls
from service.parsing.client_address import Network

Environment = Literal["development", "test", "production"]


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The URL of a SQLite file, which may not exist yet, or of a PostgreSQL database.

    `path` is the file, None for PostgreSQL. `shown` is for messages and contains no password.
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
    """The settings of the `key` commands. `expires_in` is in seconds."""

    path: Path
    algorithm: str
    expires_in: int
    production: bool


class RoleRule(NamedTuple):
    """A mapping: `value` in the provider's roles attribute grants `role`."""

    role: str
    value: str

    def __str__(self) -> str:
        return f"{self.role}={self.value}"


EMAIL_DOMAIN = "email_domain"
"""The requirement of a verified e-mail address in a domain. All others name a claim."""


class Requirement(NamedTuple):
    """A claim that an account must have with a value. Several values are alternatives."""

    claim: str
    value: str

    def __str__(self) -> str:
        return f"{self.claim}={self.value}"


class AuthorizeParam(NamedTuple):
    """A further parameter of the authorization request."""

    name: str
    value: str

    def __str__(self) -> str:
        return urlencode((self,))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdProvider:
    """A provider and our registration there. Without a secret, Latchkey is a public client.

    `discovery_url` is the URL of the metadata; None: under the issuer. `auth_method` is how to
    authenticate at the token endpoint; None: as the metadata says. `start` is the path where a
    sign-in starts, `callback` the path of the redirect URI.
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
    authorize_params: tuple[AuthorizeParam, ...] = ()
    discovery_url: str | None = None
    auth_method: str | None = None
    start: str
    callback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of this version. Durations are whole seconds."""

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
    cors_origins: frozenset[str]
    cookie_name: str
    cookie_domain: str | None
    cookie_samesite: str
    cookie_secure: bool
    bypass_auth: bool
    bypass_networks: tuple[Network, ...]
    trusted_proxies: tuple[Network, ...]
    provision_users: bool
    provision_usernames: str
    provision_updates: bool
    sign_in_redirect: bool
    outgoing_proxy: str | None = field(repr=False)
    cas_url: str | None
    cas_service_url: str
    cas_version: str
    cas_renew: bool
    cas_trust_usernames: bool
    cas_username_attribute: str | None
    cas_name_attribute: str | None
    cas_email_attribute: str | None
    cas_roles_attribute: str | None
    cas_roles: tuple[RoleRule, ...]
    openid: tuple[OpenIdProvider, ...]
    password_auth: bool
    passkey_auth: bool
    second_factor: Literal["off", "optional", "required"]
    password_min_length: int
    log_level: str
    log_format: Literal["text", "json"]
    secret_files: tuple[tuple[str, Path], ...] = field(default=(), repr=False, compare=False)
    """The files that contain secrets, each with the setting that names it."""

    @property
    def production(self) -> bool:
        """Whether the environment is production."""
        return self.environment == "production"

    @property
    def offers_passkeys(self) -> bool:
        """Whether passkeys are on and possible: an RP ID is a host name, never an IP address."""
        host = urls.host_of(self.public_url)
        return self.passkey_auth and ":" not in host and not urls.is_address(host)

    @property
    def has_links(self) -> bool:
        """Whether there are credentials that a link can set."""
        return self.password_auth or self.offers_passkeys

    @property
    def shown_proxy(self) -> str | None:
        """The outgoing proxy without its user name and password."""
        proxy = self.outgoing_proxy
        return None if proxy is None else re.sub(r"^(https?://)[^@/]*@", r"\1(set)@", proxy)

    @property
    def form_origins(self) -> frozenset[str]:
        """The other origins that a form may redirect to: sign-out redirects to the provider."""
        origins = {urls.origin_of(address) for address in (self.cas_url,) if address}
        return self.allowed_redirects.union(filter(None, origins))
