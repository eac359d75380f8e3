"""What a caller may ask, one file for each family of URLs."""
