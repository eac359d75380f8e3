"""How much is tried: everything in CI and by `make check`, a part of it while you work."""

import os

from hypothesis import settings

REQUIRE_ALL = "LATCHKEY_REQUIRE_ALL_TESTS"
"""Set where everything is tested and a skipped test is a failure, as in CI."""
EVERYTHING = bool(os.environ.get(REQUIRE_ALL) or os.environ.get("LATCHKEY_TEST_EVERYTHING"))

_SHARE = 4
"""One example of so many is tried while you work."""

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", settings.get_profile("ci"), max_examples=100 // _SHARE)
settings.load_profile("ci" if EVERYTHING else "dev")


def some(number: int) -> int:
    """Return how many of a number of examples to try."""
    return number if EVERYTHING else max(1, number // _SHARE)
