"""Strict readers of what clients and proxies send."""
