"""Strict parsers of untrusted input."""
