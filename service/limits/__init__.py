"""Resource limits for clients and caches: work, bytes and connections."""
