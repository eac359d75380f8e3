"""The settings: environment and `.env`, read once, into a frozen Config."""

from service.config import openid
from service.config.database_url import database, database_in
from service.config.load import environment, inherited, load, load_database, load_keys
from service.config.model import (
    AuthorizeParam,
    Config,
    DatabaseUrl,
    KeySettings,
    OpenIdProvider,
    Requirement,
    RoleRule,
)
from service.config.settings import NAMES, SECRETS
from service.config.unsafe import findings

__all__ = [
    "NAMES",
    "SECRETS",
    "AuthorizeParam",
    "Config",
    "DatabaseUrl",
    "KeySettings",
    "OpenIdProvider",
    "Requirement",
    "RoleRule",
    "database",
    "database_in",
    "environment",
    "findings",
    "inherited",
    "load",
    "load_database",
    "load_keys",
    "openid",
]
