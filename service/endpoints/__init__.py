"""HTTP handlers, one file for each family of URLs."""
