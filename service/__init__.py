"""Latchkey: sign in once, and use one signed JWT as a cookie and as a bearer token."""

__version__ = "0.1.0"
