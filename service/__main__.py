"""`python -m service VERB`."""

import os
import sys

# `python -m` looks for modules in the working directory first. Only a checkout has ours there;
# in the folder of another user, a `click.py` would run with the rights of root.
if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(__file__)):  # noqa: PTH120  # loaded already
    del sys.path[0]

from service.cli import main

if __name__ == "__main__":
    main()
