"""Bounds on what clients and caches may take: budgets, bytes, connections."""
