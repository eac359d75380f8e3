"""For schemathesis: whoever asks is not deleted, disabled or renamed meanwhile."""

import os
from typing import Any

import schemathesis


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext,  # noqa: ARG001
    case: schemathesis.Case[Any],
    kwargs: dict[str, Any],  # noqa: ARG001
) -> None:
    """Change the path of a request that would hit the user who sends it."""
    if str(case.path_parameters.get("id")) == os.environ["LATCHKEY_FUZZER"]:
        case.path_parameters["id"] = 1
