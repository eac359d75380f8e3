"""Journeys over HTTP, against a server."""
