"""The settings: environment and `.env`, read once, into a frozen Config."""

from service.config.model import Config, Database
from service.config.read import environment, load, load_database
from service.config.table import NAMES, SECRETS

__all__ = ["NAMES", "SECRETS", "Config", "Database", "environment", "load", "load_database"]
