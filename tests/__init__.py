"""The tests: one file for each source file, plus journeys, layers and policy."""
