"""The settings: environment and `.env`, read once, into a frozen Config."""

from service.config.model import Config, Database, KeySettings, RoleRule
from service.config.read import environment, load, load_database, load_keys
from service.config.table import NAMES, SECRETS

__all__ = [
    "NAMES",
    "SECRETS",
    "Config",
    "Database",
    "KeySettings",
    "RoleRule",
    "environment",
    "load",
    "load_database",
    "load_keys",
]
