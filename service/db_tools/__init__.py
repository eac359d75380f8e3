"""Tools for a whole database: migrations, copy, check."""
