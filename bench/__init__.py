"""`make bench`: what Latchkey costs, against the framework that it stands on."""
