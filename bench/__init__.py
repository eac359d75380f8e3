"""`make bench`: measure Latchkey against the bare framework."""
