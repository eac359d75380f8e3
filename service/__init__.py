"""Latchkey: sign in once, carry the same signed JWT as a cookie and as a bearer token."""

__version__ = "0.1.0"
