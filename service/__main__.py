"""`python -m service VERB`."""

import importlib
import os
import sys

OLDEST = (3, 11)
"""Older versions of Python cannot load the other modules, so this one checks, in their language."""


def forget_working_directory() -> None:
    """Load no modules from the working directory, where `python -m` looks first, unless ours are.

    In the folder of another user, a `click.py` would run with the rights of root.
    """
    is_safe = getattr(sys.flags, "safe_path", False)
    if not is_safe and sys.path[0] != os.path.dirname(os.path.dirname(__file__)):  # noqa: PTH120  # before other modules are loaded
        del sys.path[0]


def main() -> None:
    """Run a command, if this Python and the working directory can."""
    if sys.version_info < OLDEST:  # this is the check
        wanted = ".".join(str(number) for number in OLDEST)
        sys.exit("Latchkey needs Python %s or newer, but %s is older." % (wanted, sys.executable))  # noqa: UP031
    try:
        os.getcwd()  # noqa: PTH109  # before other modules are loaded
    except OSError as error:
        sys.exit("The working directory cannot be used (%s). Change to another." % error.strerror)  # noqa: UP031
    try:
        cli = importlib.import_module("service.cli")
    except ImportError as error:
        if error.name in sys.stdlib_module_names:
            sys.exit(
                "This Python was built without its module %s."  # noqa: UP031
                " Remove .venv and use another one: make run PYTHON=/path/to/python3" % error.name
            )
        sys.exit("Latchkey's libraries cannot be loaded (%s). Run: make .venv/.run" % error)  # noqa: UP031
    cli.main()


if __name__ == "__main__":
    forget_working_directory()
    main()
