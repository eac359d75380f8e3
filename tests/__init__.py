"""The tests, sorted by what they need, named after the file or folder that they test."""
