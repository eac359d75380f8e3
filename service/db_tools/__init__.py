"""Work on a whole database: migrations, a copy, a check."""
