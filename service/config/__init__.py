"""The settings: environment and `.env`, read once, into a frozen Config."""

from service.config import openid, public_providers
from service.config.address import database
from service.config.model import (
    Config,
    Database,
    KeySettings,
    OpenIdProvider,
    Requirement,
    RoleRule,
)
from service.config.read import (
    database_in,
    environment,
    inherited,
    load,
    load_database,
    load_keys,
)
from service.config.table import NAMES, SECRETS

__all__ = [
    "NAMES",
    "SECRETS",
    "Config",
    "Database",
    "KeySettings",
    "OpenIdProvider",
    "Requirement",
    "RoleRule",
    "database",
    "database_in",
    "environment",
    "inherited",
    "load",
    "load_database",
    "load_keys",
    "openid",
    "public_providers",
]
