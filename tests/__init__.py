"""The tests, sorted by what they need, named after the file or folder that they test."""

import pytest

pytest.register_assert_rewrite("tests.support")
